//! What an author is told about a script before it ever runs.

use hearken_engine::{Problem, Script};
use serde_json::json;

use super::compile;

fn problems(source: &str) -> Vec<Problem> {
    Script::compile("acme/connector.rhai", source).unwrap_err()
}

/// The first problem, as `line:column message hint`.
fn problem(source: &str) -> String {
    problems(source)[0].to_string()
}

#[test]
fn syntax_errors_name_file_line_and_column() {
    let text = problem("fn events(request, trigger) {\n    let x = ;\n}");
    assert!(text.starts_with("acme/connector.rhai:2:13: "), "{text}");
    let text = problem("fn events(request, trigger) {\n    requst.body\n}");
    assert!(text.starts_with("acme/connector.rhai:2:5: ") && text.contains("requst"), "{text}");
}

#[test]
fn misspelt_functions_are_noticed() {
    let text = problem("// fn events\nfn evnets(request, trigger) { [] }");
    assert!(text.contains(":2:4: evnets: ") && text.contains("`events`"), "{text}");
    let text = problem("fn unregster(http, trigger) {}\nfn register(http, trigger) {}");
    assert!(text.contains("`unregister`"), "{text}");
    // A helper that is called may have any name, also one passed on as a text.
    compile("fn event(x) { x }\nfn events(request, trigger) { event(1); [] }");
    compile("fn event(x) { x }\nfn events(request, trigger) { [1].map(\"event\") }");
    compile("fn lasso(x) { x }\nfn something_else() { 1 }");
}

#[test]
fn wrong_parameter_counts_are_noticed() {
    let text = problem("fn signature(x) { 1 }\nfn events(request) { [] }");
    assert!(text.contains("signature: `signature` takes 0 parameters"), "{text}");
    let all = problems("fn signature(x) { 1 }\nfn events(request) { [] }");
    assert_eq!(all.len(), 2);
    assert!(all[1].to_string().contains(":2:4: "), "{}", all[1]);
    assert!(all[1].hint.as_ref().unwrap().contains("fn events(request, trigger)"));
}

#[test]
fn only_functions_and_constants_stand_at_the_top() {
    let text = problem("const A = 1;\nlet b = 2;\nfn events(request, trigger) { [] }");
    assert!(text.contains(":2:1: only functions and constants"), "{text}");
    let all = problems("print(1);\nfn helper() { 1 }\nif true { print(2); }");
    assert_eq!(all.iter().filter_map(|problem| problem.line).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn constants_are_visible_everywhere_and_cannot_be_changed() {
    let script = compile(
        "/* fn no() { */ const BASE = \"v1\"; // } const X = 1;
        const PATH = `/${BASE}/{hooks`;
        const MAP = #{ a: [1, 2], b: #{ c: \"}\" } };
        private fn nested() { `${PATH} ${MAP.b.c}` }
        fn signature() { #{ path: nested(), n: MAP.a[1], shadow: shadow(9), local: local() } }
        fn shadow(BASE) { BASE }
        fn local() { let MAP = 3; MAP }",
    );
    let expected = json!({ "path": "/v1/{hooks }", "n": 2, "shadow": 9, "local": 3 });
    assert_eq!(script.signature().unwrap(), expected);
    let script = compile("const MAP = #{ a: 1 };\nfn signature() {\n  MAP.a = 2;\n  MAP\n}");
    let problem = script.signature().unwrap_err();
    assert_eq!(problem.line, Some(3));
    assert!(problem.message.contains("MAP"), "{problem}");
    let text = self::problem("const A = 1;\nconst B = A / 0;");
    assert!(text.contains(":2:") && text.contains("constant"), "{text}");
    let text = self::problem("const A = helper();\nfn helper() { 1 }");
    assert!(text.contains(":1:11: a constant cannot be computed"), "{text}");
}

#[test]
fn what_the_language_lacks_is_explained() {
    let closure = problem("fn events(request, trigger) { [1].map(|x| x + 1) }");
    assert!(closure.contains("no closures"), "{closure}");
    let eval = problem("fn events(request, trigger) { eval(\"1\") }");
    assert!(eval.contains("not available"), "{eval}");
    let large = "// ".to_owned() + &"x".repeat(64 << 10);
    assert!(problem(&large).contains("65536"));
}

#[test]
fn editors_line_ends_and_marks_do_no_harm() {
    let script = compile("\u{feff}// héllo\r\nfn signature() {\r\n  #{ a: 1 }\r\n}\r\n");
    assert!(script.has("signature") && !script.has("events"));
    let text = problem("\u{feff}// héllo\r\nfn évents(request, trigger) {\r\n  oops;\r\n}\r\n");
    assert!(text.contains("connector.rhai:"), "{text}");
}

#[test]
fn signatures_are_data_and_their_errors_are_problems() {
    let problem = compile("fn signature() {\n  let a = [1];\n  a[5]\n}").signature().unwrap_err();
    assert_eq!((problem.file.as_str(), problem.line), ("acme/connector.rhai", Some(3)));
    assert!(problem.message.contains("out of bounds"), "{problem}");
}
