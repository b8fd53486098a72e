//! Mapping: what a script sees of a request, and what becomes of the events it returns.

use hearken_engine::script::{Mapped, MappedEvent};
use serde_json::{Value, json};

use super::{compile, document, trigger};

fn body() -> Value {
    serde_json::from_str(
        r#"{
            "id": 9007199254740993, "huge": 18446744073709551615, "ratio": 0.5, "whole": 2.0,
            "tag": "v1", "len": "own", "nothing": null, "flag": true,
            "pull": { "merged": true, "labels": [{ "name": "a" }, { "name": "b" }] },
            "numbers": [1, 2, 3], "Name with space": "x"
        }"#,
    )
    .unwrap()
}

fn map(source: &str) -> Result<Vec<MappedEvent>, String> {
    match compile(source).events(&document(body()), &trigger()) {
        Ok(Mapped::Events(events)) => Ok(events),
        Ok(Mapped::Skipped(reason)) => Err(format!("skipped: {reason}")),
        Err(error) => Err(error.to_string()),
    }
}

/// The data of the one event whose `data` is this expression.
fn data(expression: &str) -> Value {
    let source = format!("fn events(request, trigger) {{ [#{{ data: {expression} }}] }}");
    match map(&source) {
        Ok(mut events) => events.pop().unwrap().data,
        Err(error) => panic!("{expression}: {error}"),
    }
}

fn error(body: &str) -> String {
    map(&format!("fn events(request, trigger) {{\n{body}\n}}")).unwrap_err()
}

#[test]
fn payloads_are_read_without_loss() {
    for (expression, expected) in [
        ("request.body", body()),
        ("request.body.id", json!(9_007_199_254_740_993_i64)),
        ("request.body.id + 1", json!(9_007_199_254_740_994_i64)),
        ("request.body.huge", json!(u64::MAX)),
        ("`${request.body.huge}`", json!("18446744073709551615")),
        ("request.body.ratio", json!(0.5)),
        ("request.body.whole", json!(2.0)),
        ("request.body.pull.merged", json!(true)),
        ("request.body[\"Name with space\"]", json!("x")),
        ("request.body.pull.labels[1].name", json!("b")),
        ("request.body.pull.labels[-1].name", json!("b")),
        ("request.headers[\"x-acme-event\"]", json!("push")),
        ("request.query.page", json!("2")),
        ("#{ a: [request.body.pull, 1], b: () }", json!({ "a": [body()["pull"], 1], "b": null })),
        ("trigger.config.owner + \"/\" + trigger.config.repo", json!("octo/hello")),
        ("trigger.name", json!("ACME__PUSH")),
    ] {
        assert_eq!(data(expression), expected, "{expression}");
    }
}

#[test]
fn fields_named_like_functions_are_the_payloads_own() {
    assert_eq!(data("request.body.tag"), json!("v1"));
    assert_eq!(data("request.body.len"), json!("own"));
    assert_eq!(data("request.body.pull.tag"), Value::Null);
}

#[test]
fn what_is_missing_is_unit_all_the_way_down() {
    for expression in [
        "request.body.nothing",
        "request.body.absent",
        "request.body.absent.deeper[3].still",
        "request.body.pull.labels[9].name",
        "request.body.absent.tag",
        "request.body.numbers.field",
    ] {
        assert_eq!(data(expression), Value::Null, "{expression}");
        assert_eq!(data(&format!("{expression} == ()")), json!(true), "{expression}");
        assert_eq!(data(&format!("{expression} ?? \"other\"")), json!("other"));
    }
}

#[test]
fn handles_answer_questions() {
    for (expression, expected) in [
        ("request.body.numbers.len()", json!(3)),
        ("request.body.pull.keys()", json!(["labels", "merged"])),
        ("request.body.numbers.contains(2)", json!(true)),
        ("2 in request.body.numbers", json!(true)),
        ("7 in request.body.numbers", json!(false)),
        ("\"merged\" in request.body.pull", json!(true)),
        ("request.body.numbers == request.body.numbers", json!(true)),
        ("request.body.numbers != request.body.pull", json!(true)),
        ("request.body.numbers.to_string()", json!("[1,2,3]")),
        ("`${request.body.numbers}`", json!("[1,2,3]")),
        ("type_of(request.body)", json!("Json")),
        ("type_of(request.body.id)", json!("i64")),
        ("request.body.numbers.values()", json!([1, 2, 3])),
        ("parse_json(\"{\\\"n\\\": 18446744073709551615}\").n", json!(u64::MAX)),
        ("#{ a: request.body.numbers }.to_json()", json!("{\"a\":[1,2,3]}")),
        ("[1, #{ a: 2.0 }] == [1, #{ a: 2 }]", json!(true)),
        ("[1, \"a\"] == [1, \"b\"]", json!(false)),
    ] {
        assert_eq!(data(expression), expected, "{expression}");
    }
}

#[test]
fn loops_go_over_elements_of_any_number() {
    let source = "fn events(request, trigger) {
        let sum = 0;
        for n in request.body { sum += n; }
        [#{ data: sum }]
    }";
    let many = json!((0..5_000).collect::<Vec<i32>>());
    let mapped = compile(source).events(&document(many), &trigger()).unwrap();
    assert!(matches!(mapped, Mapped::Events(events) if events[0].data == json!(12_497_500)));
    assert!(error("for x in request.body.pull { x; } []").contains("keys()"));
    assert!(error("for x in request.body.absent { x; } []").contains("?? []"));
}

#[test]
fn long_texts_stay_handles_and_come_out_whole() {
    let text = "é".repeat(200_000);
    let source = "fn events(request, trigger) { [#{ data: #{ text: request.body } }] }";
    let mapped = compile(source).events(&document(json!(text)), &trigger()).unwrap();
    assert!(matches!(mapped, Mapped::Events(events) if events[0].data["text"] == json!(text)));
}

#[test]
fn events_carry_what_the_script_says() {
    let events = map(
        "const KIND = \"pull.merged\";
        fn helper() { KIND }
        fn events(request, trigger) {
            [
                #{ id: request.body.id, occurred_at: \"2026-11-24T10:00:00Z\", type: helper(), data: 1 },
                #{ id: request.body.huge, occurred_at: 1795514400, data: 2 },
                #{ id: \"\", occurred_at: (), data: () },
            ]
        }",
    )
    .unwrap();
    let ids: Vec<_> = events.iter().map(|event| event.id.as_deref()).collect();
    assert_eq!(ids, [Some("9007199254740993"), Some("18446744073709551615"), None]);
    let times: Vec<_> = events.iter().map(|event| event.occurred_at).collect();
    assert_eq!(times, [Some(1_795_514_400_000_000), Some(1_795_514_400_000_000), None]);
    assert_eq!(events[0].event_type.as_deref(), Some("pull.merged"));
    assert_eq!(events[2].data, Value::Null);
}

#[test]
fn a_single_map_is_one_event_and_no_function_means_the_body() {
    assert_eq!(map("fn events(request, trigger) { #{ data: 1 } }").unwrap().len(), 1);
    let events = map("").unwrap();
    assert_eq!(events[0].data, body());
    assert_eq!(events[0].id, None);
    assert_eq!(map("fn events(request, trigger) { [] }").unwrap().len(), 0);
}

#[test]
fn skipping_gives_the_reason() {
    assert_eq!(error("helper();\n}\nfn helper() { skip(\"a draft\")"), "skipped: a draft");
}

#[test]
fn wrong_results_name_the_key_and_the_line() {
    for (body, parts) in [
        ("[#{ data: 1, occured_at: 5 }]", &["line 1", "`occured_at`", "`occurred_at`"][..]),
        ("[#{ data: 1, id: 1.5 }]", &["`id` of event 1", "fraction"]),
        ("[#{ data: 1 }, #{ id: \"x\" }]", &["event 2", "`data`"]),
        ("[#{ data: 1, occurred_at: \"soon\" }]", &["`occurred_at`", "RFC 3339", "soon"]),
        ("[#{ data: 1, type: \"Bad Type\" }]", &["`type`", "Bad Type"]),
        ("[1]", &["event 1", "a whole number"]),
        ("5", &["an array of events"]),
        ("", &["skip("]),
        ("[#{ data: request.body.id.nope }]", &["line 2", "`nope`"]),
        ("throw \"no such thing\"", &["line 2", "no such thing"]),
        ("throw #{ code: 7 }", &["#{\"code\": 7}"]),
        ("nowhere(request.body)", &["line 2", "nowhere (Json)"]),
        ("request.body.pull.merged = false; []", &["read-only", "to_map()"]),
    ] {
        let error = error(body);
        for part in parts {
            assert!(error.contains(part), "{body}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn errors_in_helpers_point_into_the_helper() {
    let script = compile(
        "fn helper() {\n  throw \"deep\";\n}\nfn events(request, trigger) {\n  helper()\n}",
    );
    let error = script.events(&document(json!({})), &trigger()).unwrap_err();
    assert_eq!((error.function.as_str(), error.line), ("events", Some(2)));
}

#[test]
fn one_call_leaves_nothing_to_the_next() {
    let source = "fn events(request, trigger) { let n = 0; while n < 20000 { n += 1; } [] }";
    let script = compile(source);
    // Each call alone stays far below the limit of operations; all together would not.
    for _ in 0..10 {
        script.events(&document(json!({})), &trigger()).unwrap();
    }
}
