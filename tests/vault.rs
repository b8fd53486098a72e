//! The vault: what it seals opens in its place with its key, and nowhere and never else.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::collections::HashSet;

use hearken::accounts::{
    Vault,
    vault::{Place, VaultError},
};
use secrecy::{ExposeSecret, SecretString};

const PLACE: Place<'static> =
    Place { table: "triggers", column: "secret", row: "trg_1", project: "prj_1" };
const SECRET: &str = "whsec_canary \u{1f512} with text";

fn vault(keys: &[&SecretString]) -> Vault {
    let keys: Vec<_> = keys.iter().map(|key| key.expose_secret()).collect();
    Vault::new(&SecretString::from(keys.join(","))).unwrap()
}

fn secret() -> SecretString {
    SecretString::from(SECRET)
}

#[test]
fn what_is_sealed_opens() {
    let vault = vault(&[&Vault::generate_key()]);
    for text in ["", "x", SECRET, &"long".repeat(100_000)] {
        let sealed = vault.seal(PLACE, &SecretString::from(text));
        assert!(sealed.starts_with("v1."), "{sealed}");
        assert!(text.is_empty() || !sealed.contains(SECRET));
        assert_eq!(vault.open(PLACE, &sealed).unwrap().expose_secret(), text);
    }
}

#[test]
fn sealing_twice_shows_nothing() {
    let vault = vault(&[&Vault::generate_key()]);
    let sealed: HashSet<_> = (0..100).map(|_| vault.seal(PLACE, &secret())).collect();
    assert_eq!(sealed.len(), 100);
}

#[test]
fn another_place_stays_closed() {
    let vault = vault(&[&Vault::generate_key()]);
    let sealed = vault.seal(PLACE, &secret());
    let elsewhere = [
        Place { table: "linked_accounts", ..PLACE },
        Place { column: "credentials", ..PLACE },
        Place { row: "trg_2", ..PLACE },
        Place { project: "prj_2", ..PLACE },
        // The same bytes in all, divided differently.
        Place { table: "triggerss", column: "ecret", ..PLACE },
        Place { row: "trg_1prj_1", project: "", ..PLACE },
    ];
    for place in elsewhere {
        assert_eq!(closed(&vault, place, &sealed), VaultError::Tampered, "{place:?}");
    }
}

#[test]
fn any_changed_character_is_noticed() {
    let vault = vault(&[&Vault::generate_key()]);
    let sealed = vault.seal(PLACE, &secret());
    for position in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(vault.open(PLACE, &changed).is_err(), "position {position}");
    }
}

#[test]
fn any_truncation_is_noticed() {
    let vault = vault(&[&Vault::generate_key()]);
    let sealed = vault.seal(PLACE, &secret());
    for length in 0..sealed.len() {
        assert!(vault.open(PLACE, &sealed[..length]).is_err(), "length {length}");
    }
    assert!(vault.open(PLACE, &format!("{sealed}AA")).is_err());
    assert!(vault.open(PLACE, &format!("{sealed}.")).is_err());
}

#[test]
fn another_version_is_refused() {
    let vault = vault(&[&Vault::generate_key()]);
    let sealed = vault.seal(PLACE, &secret());
    for version in ["v0", "v2", "V1", "", "v1.v1"] {
        let relabelled = sealed.replacen("v1", version, 1);
        assert_eq!(closed(&vault, PLACE, &relabelled), VaultError::Malformed);
    }
}

#[test]
fn parts_of_two_records_do_not_fit() {
    let vault = vault(&[&Vault::generate_key()]);
    let (one, two) = (vault.seal(PLACE, &secret()), vault.seal(PLACE, &secret()));
    let (head, _) = one.rsplit_once('.').unwrap();
    let (_, text) = two.rsplit_once('.').unwrap();
    assert_eq!(closed(&vault, PLACE, &format!("{head}.{text}")), VaultError::Tampered);
}

#[test]
fn the_wrong_master_key_is_named() {
    let (mine, other) = (vault(&[&Vault::generate_key()]), vault(&[&Vault::generate_key()]));
    let sealed = mine.seal(PLACE, &secret());
    let id = sealed.split('.').nth(1).unwrap();
    assert_eq!(closed(&other, PLACE, &sealed), VaultError::UnknownKey(id.to_owned()));

    // Nor does it help to claim that the other key sealed it.
    let others = other.seal(PLACE, &secret());
    let relabelled = sealed.replacen(id, others.split('.').nth(1).unwrap(), 1);
    assert_eq!(closed(&other, PLACE, &relabelled), VaultError::Tampered);
}

#[test]
fn master_keys_rotate() {
    let (old, new) = (Vault::generate_key(), Vault::generate_key());
    let before = vault(&[&old]);
    let sealed = before.seal(PLACE, &secret());
    assert!(!before.needs_rekey(&sealed));

    let during = vault(&[&new, &old]);
    assert!(during.needs_rekey(&sealed));
    assert_eq!(during.open(PLACE, &sealed).unwrap().expose_secret(), SECRET);
    let moved = during.rekey(PLACE, &sealed).unwrap();
    assert!(!during.needs_rekey(&moved));
    assert!(!during.needs_rekey(&during.seal(PLACE, &secret())), "the first key seals");

    let after = vault(&[&new]);
    assert_eq!(after.open(PLACE, &moved).unwrap().expose_secret(), SECRET);
    assert!(matches!(closed(&after, PLACE, &sealed), VaultError::UnknownKey(_)));
    let elsewhere = Place { row: "trg_2", ..PLACE };
    assert!(during.rekey(elsewhere, &sealed).is_err(), "it cannot be moved while re-keying");
}

#[test]
fn unusable_master_keys_are_refused() {
    let error = |keys: &str| Vault::new(&SecretString::from(keys)).unwrap_err();
    assert_eq!(error(""), VaultError::NoKey);
    assert_eq!(error(" , "), VaultError::NoKey);
    assert_eq!(error("c2hvcnQ="), VaultError::BadKey(1));
    let good = Vault::generate_key();
    assert_eq!(error(&format!("{}, canary!", good.expose_secret())), VaultError::BadKey(2));
}

#[test]
fn nothing_secret_is_printed() {
    let key = Vault::generate_key();
    let vault = vault(&[&key]);
    let sealed = vault.seal(PLACE, &secret());
    let error = closed(&vault, Place { row: "", ..PLACE }, &sealed);
    let printed = format!("{vault:?} {error:?} {error} {:?}", vault.open(PLACE, &sealed));
    assert!(!printed.contains(key.expose_secret()) && !printed.contains("canary"), "{printed}");
}

fn closed(vault: &Vault, place: Place<'_>, sealed: &str) -> VaultError {
    vault.open(place, sealed).expect_err("it must not open")
}
