//! The vault: seals what must not be readable in the database or a backup of it.
//!
//! An envelope: every record has its own random data key, which the master key wraps, so that a
//! master key is changed by re-wrapping 32 bytes. Both layers are XChaCha20-Poly1305 and bind the
//! record to its place, so that a sealed text copied to another row, column or project does not
//! open there.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Key, KeyInit, Payload},
};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The only format there is; bound into the record, so that it cannot be relabelled.
const VERSION: &str = "v1";
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// Where a sealed text stands. It opens there only.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Id of the row.
    pub row: &'a str,
    /// Project that owns the row; empty for what belongs to the server.
    pub project: &'a str,
}

/// A sealed text does not open, or the vault itself cannot. Never holds plaintext or keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    /// No master key was given.
    #[error("there is no master key: give at least one, 32 bytes in base64")]
    NoKey,
    /// A master key has the wrong form.
    #[error("master key number {0} is not 32 bytes in base64")]
    BadKey(usize),
    /// The text was not made by a vault, or by a newer one.
    #[error("a sealed value is damaged: it does not have the form v1.<key>.<key>.<value>")]
    Malformed,
    /// None of the master keys sealed it.
    #[error("a sealed value needs the master key {0}, which was not given: add it after the first")]
    UnknownKey(String),
    /// It was changed, or moved to another place.
    #[error("a sealed value does not open: it was changed, or moved from another place")]
    Tampered,
}

/// Holds the master keys. Its `Debug` shows their ids only.
pub struct Vault {
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: String,
    key: SecretBox<[u8; KEY_BYTES]>,
}

/// A sealed text, taken apart.
struct Sealed<'a> {
    key_id: &'a str,
    wrapped_key: Vec<u8>,
    text: Vec<u8>,
}

impl Vault {
    /// A vault over comma-separated master keys: the first seals, all of them open.
    pub fn new(keys: &SecretString) -> Result<Self, VaultError> {
        let given = keys.expose_secret().split(',').map(str::trim);
        let keys: Vec<_> = given
            .filter(|key| !key.is_empty())
            .enumerate()
            .map(|(index, text)| MasterKey::parse(text).ok_or(VaultError::BadKey(index + 1)))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(VaultError::NoKey);
        }
        Ok(Self { keys })
    }

    /// A new master key.
    pub fn generate_key() -> SecretString {
        SecretString::from(BASE64.encode(&Key::<XChaCha20Poly1305>::generate()))
    }

    /// Seals `plain` for `place`.
    pub fn seal(&self, place: Place<'_>, plain: &SecretString) -> String {
        let data_key = SecretBox::new(Box::new(Key::<XChaCha20Poly1305>::generate().into()));
        let master = self.sealing_key();
        let text = encrypt(&data_key, &place.bound_to(""), plain.expose_secret().as_bytes());
        master.sealed(place, &data_key, &text)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<SecretString, VaultError> {
        let sealed = Sealed::parse(sealed)?;
        let data_key = self.data_key(place, &sealed)?;
        let plain = decrypt(&data_key, &place.bound_to(""), &sealed.text)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| VaultError::Tampered)
    }

    /// Whether `sealed` was not sealed with the first master key, or is damaged.
    pub fn needs_rekey(&self, sealed: &str) -> bool {
        Sealed::parse(sealed).map_or(true, |sealed| sealed.key_id != self.sealing_key().id)
    }

    /// Wraps the record's key with the first master key; the record itself stays as it is.
    pub fn rekey(&self, place: Place<'_>, sealed: &str) -> Result<String, VaultError> {
        let sealed = Sealed::parse(sealed)?;
        let data_key = self.data_key(place, &sealed)?;
        decrypt(&data_key, &place.bound_to(""), &sealed.text)?;
        Ok(self.sealing_key().sealed(place, &data_key, &sealed.text))
    }

    fn sealing_key(&self) -> &MasterKey {
        self.keys.first().expect("a vault has at least one key, see `new`")
    }

    fn data_key(
        &self,
        place: Place<'_>,
        sealed: &Sealed<'_>,
    ) -> Result<SecretBox<[u8; KEY_BYTES]>, VaultError> {
        let mut known = self.keys.iter();
        let master = known
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| VaultError::UnknownKey(sealed.key_id.to_owned()))?;
        let key = decrypt(&master.key, &place.bound_to(&master.id), &sealed.wrapped_key)?;
        let key = key.try_into().map_err(|_| VaultError::Tampered)?;
        Ok(SecretBox::new(Box::new(key)))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl MasterKey {
    fn parse(text: &str) -> Option<Self> {
        let key: [u8; KEY_BYTES] = BASE64.decode(text.as_bytes()).ok()?.try_into().ok()?;
        // Names the key without telling anything about it.
        let digest = Sha256::new().chain_update("hearken master key ").chain_update(key).finalize();
        let id = HEXLOWER.encode(&digest[..4]);
        Some(Self { id, key: SecretBox::new(Box::new(key)) })
    }

    fn sealed(
        &self,
        place: Place<'_>,
        data_key: &SecretBox<[u8; KEY_BYTES]>,
        text: &[u8],
    ) -> String {
        let wrapped = encrypt(&self.key, &place.bound_to(&self.id), data_key.expose_secret());
        let (wrapped, text) = (BASE64URL_NOPAD.encode(&wrapped), BASE64URL_NOPAD.encode(text));
        format!("{VERSION}.{}.{wrapped}.{text}", self.id)
    }
}

impl Place<'_> {
    /// What a record is bound to. Every part is preceded by its length, so that no two places
    /// give the same bytes.
    fn bound_to(&self, key_id: &str) -> Vec<u8> {
        [VERSION, key_id, self.table, self.column, self.row, self.project]
            .iter()
            .flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part.as_bytes()].concat())
            .collect()
    }
}

impl<'a> Sealed<'a> {
    fn parse(text: &'a str) -> Result<Self, VaultError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [VERSION, key_id, wrapped_key, text] = parts[..] else {
            return Err(VaultError::Malformed);
        };
        let decode =
            |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| VaultError::Malformed);
        Ok(Self { key_id, wrapped_key: decode(wrapped_key)?, text: decode(text)? })
    }
}

/// The nonce, and after it what `plain` became.
fn encrypt(key: &SecretBox<[u8; KEY_BYTES]>, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let nonce = XNonce::generate();
    let ciphertext = XChaCha20Poly1305::new(key.expose_secret().into())
        .encrypt(&nonce, Payload { msg: plain, aad })
        .expect("only texts beyond 256 GiB are too long for the cipher");
    [nonce.as_slice(), &ciphertext].concat()
}

fn decrypt(
    key: &SecretBox<[u8; KEY_BYTES]>,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let (nonce, ciphertext) =
        sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Malformed)?;
    XChaCha20Poly1305::new(key.expose_secret().into())
        .decrypt(nonce.into(), Payload { msg: ciphertext, aad })
        .map_err(|_| VaultError::Tampered)
}
