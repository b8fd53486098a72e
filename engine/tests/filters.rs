//! Filters: every operator against values of every kind, verdicts that explain themselves, and
//! sources that are wrong or hostile.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use hearken_engine::Filter;
use serde_json::{Value, json};

fn passes(filter: &Value, document: &Value) -> bool {
    let compiled = Filter::compile(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    compiled.judge(document).matched
}

#[test]
fn every_operator() {
    let document = json!({
        "n": 5, "big": 9_007_199_254_740_993_i64, "f": 5.0, "s": "refs/heads/main", "empty": "", "t": true,
        "null": null, "list": [1, "two", { "id": 3 }], "object": { "a": 1 },
        "commits": [{ "author": "Mona" }, { "author": "Lisa" }],
    });
    let cases = [
        ("$.n", "equals", json!(5), true),
        ("$.n", "equals", json!(5.0), true),
        ("$.n", "equals", json!("5"), false),
        ("$.big", "equals", json!(9_007_199_254_740_993_i64), true),
        ("$.big", "equals", json!(9_007_199_254_740_992_i64), false),
        ("$.null", "equals", json!(null), true),
        ("$.missing", "equals", json!(null), false),
        ("$.object", "equals", json!({ "a": 1.0 }), true),
        ("$.n", "not_equals", json!(6), true),
        ("$.n", "not_equals", json!(5), false),
        ("$.missing", "not_equals", json!(5), true),
        ("$.commits[*].author", "equals", json!("Lisa"), true),
        ("$.commits[*].author", "not_equals", json!("Lisa"), false),
        ("$.s", "in", json!(["x", "refs/heads/main"]), true),
        ("$.s", "in", json!([]), false),
        ("$.s", "contains", json!("heads"), true),
        ("$.s", "contains", json!("tags"), false),
        ("$.list", "contains", json!("two"), true),
        ("$.list", "contains", json!({ "id": 3 }), true),
        ("$.object", "contains", json!("a"), true),
        ("$.n", "contains", json!(5), false),
        ("$.empty", "exists", json!(true), true),
        ("$.null", "exists", json!(true), true),
        ("$.missing", "exists", json!(true), false),
        ("$.missing", "exists", json!(false), true),
        ("$.n", "gt", json!(4.5), true),
        ("$.n", "gt", json!(5), false),
        ("$.n", "gte", json!(5), true),
        ("$.n", "lt", json!(5), false),
        ("$.n", "lte", json!(5), true),
        ("$.big", "gt", json!(9_007_199_254_740_992_i64), true),
        ("$.s", "gt", json!(1), false),
        ("$.s", "gte", json!("refs/heads/a"), true),
        ("$.s", "regex", json!("^refs/heads/(main|dev)$"), true),
        ("$.s", "regex", json!("^main"), false),
        ("$.n", "regex", json!("5"), false),
        ("$..author", "equals", json!("Mona"), true),
        ("$.commits[?@.author=='Mona'].author", "exists", json!(true), true),
    ];
    for (path, operator, operand, expected) in cases {
        let filter = json!({ "path": path, operator: operand });
        assert_eq!(passes(&filter, &document), expected, "{filter}");
    }
}

#[test]
fn combinations() {
    let document = json!({ "a": 1, "b": 2 });
    let yes = json!({ "path": "$.a", "equals": 1 });
    let no = json!({ "path": "$.b", "equals": 1 });
    assert!(passes(&json!({}), &document));
    assert!(passes(&json!({ "all": [yes, { "not": no }] }), &document));
    assert!(!passes(&json!({ "all": [yes, no] }), &document));
    assert!(passes(&json!({ "any": [no, yes] }), &document));
    assert!(!passes(&json!({ "any": [no, no] }), &document));
    assert!(!passes(&json!({ "not": { "any": [no, yes] } }), &document));
}

#[test]
fn the_verdict_names_the_clause_and_the_value() {
    let filter = Filter::compile(&json!({ "all": [
        { "path": "$.a", "equals": 1 },
        { "any": [{ "path": "$.b", "gt": 5 }, { "path": "$.c[*]", "equals": "x" }] },
    ] }))
    .unwrap();
    let verdict = filter.judge(&json!({ "a": 1, "b": 2, "c": ["y", "z"] }));
    assert!(!verdict.matched);
    let clause = verdict.clause.unwrap();
    assert_eq!((clause.pointer.as_str(), clause.operator.as_str()), ("/all/1/any/1", "equals"));
    assert_eq!((clause.expected, clause.actual), (json!("x"), json!(["y", "z"])));
    let verdict = filter.judge(&json!({ "a": 2 }));
    assert_eq!(verdict.clause.unwrap().pointer, "/all/0");
    let long = filter.judge(&json!({ "a": "x".repeat(10_000) })).clause.unwrap();
    assert!(long.actual.to_string().len() < 400, "a long value is cut");
}

#[test]
fn what_cannot_be_compiled_says_where_and_what_to_do() {
    let nested = (0..20).fold(json!({}), |inner, _| json!({ "not": inner }));
    let many: Vec<Value> = (0..101).map(|_| json!({ "path": "$.a", "exists": true })).collect();
    let cases = [
        (json!([]), "", "object"),
        (json!({ "path": "$.a" }), "", "exactly one operator"),
        (json!({ "path": "$.a", "equals": 1, "gt": 2 }), "", "exactly one operator"),
        (json!({ "equals": 1 }), "", "no `path`"),
        (json!({ "path": "$.a", "equal": 1 }), "/equal", "did you mean `equals`"),
        (json!({ "path": "$.a", "in": 1 }), "/in", "takes a list"),
        (json!({ "path": "$.a", "exists": "yes" }), "/exists", "true or false"),
        (json!({ "path": "$.a", "gt": [] }), "/gt", "number or text"),
        (json!({ "path": "$.a", "regex": "(" }), "/regex", "unclosed group"),
        (json!({ "path": "$.a", "regex": "(a{1000}){1000}" }), "/regex", "too large"),
        (json!({ "path": 1, "equals": 1 }), "/path", "takes text"),
        (json!({ "path": "a.b[", "equals": 1 }), "/path", "not a JSONPath"),
        (
            json!({ "path": format!("$.{}", "a".repeat(600)), "exists": true }),
            "/path",
            "at most 512",
        ),
        (json!({ "path": "$..a..b..c", "exists": true }), "/path", "at most 2 times"),
        (json!({ "all": [] }), "/all", "at least one"),
        (
            json!({ "all": [{ "any": [{ "path": "$.x", "eq": 1 }] }] }),
            "/all/0/any/0/eq",
            "unknown key",
        ),
        (json!({ "all": [{}], "any": [{}] }), "", "one object holds one"),
        (
            nested,
            "/not/not/not/not/not/not/not/not/not/not/not/not/not/not/not/not/not",
            "at most 16 deep",
        ),
        (json!({ "any": many }), "/any/100", "at most 100 clauses"),
    ];
    for (filter, pointer, words) in cases {
        let error = Filter::compile(&filter).unwrap_err();
        assert_eq!(error.pointer, pointer, "{error}");
        assert!(error.message.contains(words), "{pointer}: {error}");
    }
}

#[test]
fn hostile_paths_are_refused_before_they_are_parsed() {
    for path in [
        format!("${}", "[".repeat(100_000)),
        format!("${}", "[?".repeat(200)),
        format!("$[?{}@.a{}]", "(".repeat(200), ")".repeat(200)),
        format!("${}", "..a".repeat(100)),
    ] {
        assert!(Filter::compile(&json!({ "path": path, "exists": true })).is_err());
    }
    // Deep documents are as deep as JSON may be here, and harmless.
    let deep = (0..120).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert!(passes(&json!({ "path": "$..a", "exists": true }), &deep));
}
