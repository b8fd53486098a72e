//! `expand`: a notice becomes events, a cursor moves, and what cannot be done again is refused.

use hearken_engine::{Expansion, LifecycleError};
use serde_json::json;

use super::{Provider, compile, context, document};

fn expand(body: &str, provider: &Provider) -> Result<Expansion, LifecycleError> {
    let script = compile(&format!("fn expand(http, trigger, notice) {{\n{body}\n}}"));
    let notice = document(json!({ "history": 7 }));
    script.expand(provider, &context(), Some(&notice))
}

#[test]
fn a_notice_becomes_events_and_moves_the_cursor() {
    let provider = Provider::answering(200, r#"{"items":[{"id":"a"},{"id":"b"}],"next":9}"#);
    let body = r#"
        let answer = http.get(`${trigger.base_url}/history?since=${trigger.cursor.page}&to=${notice.body.history}`);
        let events = [];
        for item in answer.body.items { events.push(#{ id: item.id, data: item, type: "seen" }); }
        #{ events: events, cursor: #{ page: answer.body.next }, more: true }"#;
    let found = expand(body, &provider).unwrap();
    let ids: Vec<_> = found.events.iter().map(|event| event.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(found.events[0].event_type.as_deref(), Some("seen"));
    assert_eq!((found.cursor, found.more), (Some(json!({ "page": 9 })), true));
    assert_eq!(provider.asked()[0].url, "https://api.acme.example/history?since=4&to=7");
}

#[test]
fn a_look_without_notice_sees_none() {
    let script = compile("fn expand(http, trigger, notice) { #{ cursor: notice == () } }");
    let found = script.expand(&Provider::default(), &context(), None).unwrap();
    assert_eq!((found.events.len(), found.cursor, found.more), (0, Some(json!(true)), false));
    let script = compile("fn expand(http, trigger, notice) { #{ cursor: () } }");
    assert_eq!(script.expand(&Provider::default(), &context(), None).unwrap().cursor, None);
}

#[test]
fn what_is_wrong_is_said() {
    for (body, message) in [
        ("#{ events: [#{ data: 1 }] }", "event 1 of expand() must have an `id`"),
        ("#{ events: #{} }", "`events` of expand() must be an array, not a map"),
        ("#{ event: [] }", "did you mean `events`?"),
        ("[]", "expand() must be a map"),
        ("skip(\"no\")", "only events() may call skip()"),
    ] {
        match expand(body, &Provider::default()) {
            Err(LifecycleError::Script(error)) => {
                assert!(error.message.contains(message), "{body}: {error}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_provider_says_when_to_come_again() {
    let refused = "throw provider_error(http.get(trigger.base_url))";
    let provider = Provider::answering(429, "{}");
    let Err(LifecycleError::Provider { retry_after, .. }) = expand(refused, &provider) else {
        panic!("it was refused");
    };
    assert_eq!(retry_after, Some(7));
}
