//! Recording requests: what goes in comes back, and a bad one harms nobody else.

use futures::future::join_all;
use hearken::{
    ids,
    store::{Inbound, StoreError},
};
use serde_json::json;

use crate::fixture::{Fixture, NOW, event, receipt};

pub(crate) async fn a_request_and_its_events_come_back(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let receipt = receipt(&trigger);
    let events = vec![event("e1", json!({ "n": 1 })), event("e2", json!({ "n": 2 }))];
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let inbound = Inbound { receipt: receipt.clone(), events, notice: None };
    let recorded = fixture.store.record(inbound).await.unwrap();
    assert_eq!((&recorded.stored, recorded.duplicates.len()), (&ids, 0));

    let event = fixture.store.event(fixture.project(), &ids[1]).await.unwrap().unwrap();
    assert_eq!(event.data, json!({ "n": 2 }));
    assert_eq!((event.external_event_id.as_str(), event.status.as_str()), ("e2", "pending"));
    assert_eq!((event.received_at, event.occurred_at), (NOW, Some(NOW - 1)));
    assert_eq!((event.receipt_id, event.trigger_id), (receipt.id.clone(), trigger.id));
    assert_eq!(event.definition_version, "0011223344556677");

    let kept = fixture.store.receipt(fixture.project(), &receipt.id).await.unwrap().unwrap();
    assert_eq!((kept.outcome.as_str(), kept.body), ("stored", Some(b"{}".to_vec())));
    assert_eq!(kept.headers, receipt.headers);
    assert_eq!(kept.detail, json!({ "verified_by": "hmac-sha256", "events": ids }));
}

pub(crate) async fn a_rejection_is_only_a_receipt(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let mut receipt = receipt(&trigger);
    "rejected".clone_into(&mut receipt.outcome);
    receipt.reason = Some("bad_signature".to_owned());
    receipt.body = None;
    let id = receipt.id.clone();
    fixture.store.record(Inbound { receipt, events: Vec::new(), notice: None }).await.unwrap();

    let kept = fixture.store.receipt(fixture.project(), &id).await.unwrap().unwrap();
    assert_eq!(
        (kept.outcome.as_str(), kept.reason.as_deref()),
        ("rejected", Some("bad_signature"))
    );
    assert_eq!(kept.body, None);
    let trigger = fixture.store.trigger(fixture.project(), &trigger.id).await.unwrap().unwrap();
    assert_eq!((trigger.last_proof_at, trigger.last_triggered_at), (None, None));
}

pub(crate) async fn triggers_show_the_last_proof(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let send = async |outcome: &str, at, events| {
        let mut receipt = receipt(&trigger);
        outcome.clone_into(&mut receipt.outcome);
        receipt.received_at = at;
        if outcome == "unsigned challenge" {
            "challenge".clone_into(&mut receipt.outcome);
            receipt.detail = json!({});
        }
        fixture.store.record(Inbound { receipt, events, notice: None }).await.unwrap();
        let now = fixture.store.trigger(fixture.project(), &trigger.id).await.unwrap().unwrap();
        (now.last_proof_at, now.last_triggered_at)
    };
    let one = || vec![event("e1", json!(1))];
    let anybody = send("unsigned challenge", NOW, Vec::new()).await;
    assert_eq!(anybody, (None, None), "anybody may send it");
    assert_eq!(send("challenge", NOW, Vec::new()).await, (Some(NOW), None));
    assert_eq!(send("stored", NOW + 2, one()).await, (Some(NOW + 2), Some(NOW + 2)));
    assert_eq!(send("stored", NOW + 3, one()).await, (Some(NOW + 3), Some(NOW + 2)), "a duplicate");
    let late = vec![event("e2", json!(2))];
    assert_eq!(send("stored", NOW + 1, late).await, (Some(NOW + 3), Some(NOW + 2)), "never back");
    assert_eq!(send("rejected", NOW + 9, Vec::new()).await, (Some(NOW + 3), Some(NOW + 2)));
}

pub(crate) async fn one_bad_request_harms_nobody_else(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let taken = receipt(&trigger);
    let first = Inbound { receipt: taken.clone(), events: Vec::new(), notice: None };
    fixture.store.record(first).await.unwrap();

    // On one thread all of these are handed over before the writer runs: one batch.
    let requests = (0..20).map(|number| {
        let mut receipt = receipt(&trigger);
        if number == 7 {
            receipt.id.clone_from(&taken.id);
        }
        let events = vec![event(&format!("e{number}"), json!(number))];
        fixture.store.record(Inbound { receipt, events, notice: None })
    });
    for (number, answer) in join_all(requests).await.into_iter().enumerate() {
        match answer {
            Ok(recorded) => assert_eq!((number == 7, recorded.stored.len()), (false, 1)),
            Err(error) => {
                assert!(
                    number == 7 && matches!(error, StoreError::Conflict(_)),
                    "{number}: {error}"
                );
            }
        }
    }
    let again = fixture.deliver(&trigger, &["e7"]).await;
    assert_eq!(again.stored.len(), 1, "nothing of the bad request was left behind");
}

pub(crate) async fn a_large_request_is_stored_whole(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let ids: Vec<String> = (0..1000).map(|number| format!("e{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(fixture.deliver(&trigger, &ids).await.stored.len(), 1000);
    assert_eq!(fixture.deliver(&trigger, &ids).await.duplicates.len(), 1000);

    let mut receipt = receipt(&trigger);
    receipt.body = Some(vec![0xff; 20 << 20]);
    let id = receipt.id.clone();
    let events = vec![event("large", json!("x".repeat(20 << 20)))];
    fixture.store.record(Inbound { receipt, events, notice: None }).await.unwrap();
    let kept = fixture.store.receipt(fixture.project(), &id).await.unwrap().unwrap();
    assert!(
        kept.body.is_some_and(|body| body.len() == 20 << 20 && body.iter().all(|b| *b == 0xff))
    );
}

pub(crate) async fn nul_characters_survive(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let data = json!({ "text": "a\0b", "key\0": ["\0"] });
    let send = async || {
        let mut receipt = receipt(&trigger);
        receipt.reason = Some("odd\0reason".to_owned());
        receipt.headers = json!([["x-odd", "\0"]]);
        receipt.body = Some(vec![0, 1, 0]);
        let mut event = event("id\0with nul", data.clone());
        "acme.\0".clone_into(&mut event.event_type);
        let id = receipt.id.clone();
        let inbound = Inbound { receipt, events: vec![event], notice: None };
        (id, fixture.store.record(inbound).await.unwrap())
    };
    let (receipt, recorded) = send().await;
    let event = fixture.store.event(fixture.project(), &recorded.stored[0]).await.unwrap().unwrap();
    assert_eq!(event.data, data);
    assert_eq!(event.external_event_id, "id\u{fffd}with nul");
    assert_eq!(event.event_type, "acme.\u{fffd}");
    let receipt = fixture.store.receipt(fixture.project(), &receipt).await.unwrap().unwrap();
    assert_eq!(receipt.reason.as_deref(), Some("odd\u{fffd}reason"));
    assert_eq!((receipt.headers, receipt.body), (json!([["x-odd", "\0"]]), Some(vec![0, 1, 0])));

    let (_, again) = send().await;
    assert_eq!(again.duplicates, recorded.stored, "it is still recognised");
    assert!(
        fixture.store.event("\0", "\0").await.unwrap().is_none(),
        "asking with one is no error"
    );
}

pub(crate) async fn long_ids_are_told_apart(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    // Nothing a database could compress.
    let long: String = (0..400).map(|_| ids::new(ids::EVENT)).collect();
    let (one, two) = (format!("{long}1"), format!("{long}2"));
    let stored = fixture.deliver(&trigger, &[&one, &two]).await.stored;
    assert_eq!(stored.len(), 2);
    assert_eq!(fixture.deliver(&trigger, &[&one, &two]).await.duplicates, stored);
}

pub(crate) async fn deep_data_stays_readable(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let read = async |data| {
        let event = event(&ids::new(ids::EVENT), data);
        let id = event.id.clone();
        let inbound = Inbound { receipt: receipt(&trigger), events: vec![event], notice: None };
        fixture.store.record(inbound).await.unwrap();
        fixture.store.event(fixture.project(), &id).await.unwrap().unwrap().data
    };
    assert_eq!(read(nested(120)).await, nested(120));
    for levels in [121, 127, 128, 200] {
        assert_eq!(read(nested(levels)).await, json!(nested(levels).to_string()), "{levels}");
    }
}

pub(crate) async fn exact_numbers_and_unicode_survive(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let data = json!({
        "max": i64::MAX, "min": i64::MIN, "unsigned": u64::MAX, "beyond f64": 9_007_199_254_740_993_i64,
        "text": "h\u{e9}llo \u{1f980} \u{202e} \u{feff}", "line": "\u{2028}", "quotes": "'\"\\$1",
    });
    let receipt = receipt(&trigger);
    let event = event("\u{1f980}", data.clone());
    let id = event.id.clone();
    fixture.store.record(Inbound { receipt, events: vec![event], notice: None }).await.unwrap();
    let kept = fixture.store.event(fixture.project(), &id).await.unwrap().unwrap();
    assert_eq!((kept.data, kept.external_event_id.as_str()), (data, "\u{1f980}"));
}

pub(crate) async fn events_need_a_trigger(fixture: &Fixture) {
    let trigger = fixture.add_trigger(|_| {}).await;
    let mut receipt = receipt(&trigger);
    receipt.trigger_id = None;
    let inbound = Inbound { receipt, events: vec![event("e1", json!(1))], notice: None };
    assert!(matches!(fixture.store.record(inbound).await, Err(StoreError::Conflict(_))));
}
