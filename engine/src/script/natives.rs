//! The script language's own functions that can allocate without bound or block, replaced by
//! ones that cannot.
//!
//! The language checks a value's size only after a native function made it. What is dangerous was
//! found by going through the list of all native functions, which a test keeps under review: a
//! new version of the language cannot add one unseen.

use std::fmt::Write as _;

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use serde_json::Value;

use super::{
    convert::{MAX_DEPTH, Output},
    engine::MAX_STRING,
    failure::{Ending, Fallible, fault},
    json::Json,
    secret::{MASK, Secret},
};

/// Registers the replacements. They win over the standard ones because the engine looks there
/// first and their parameter types are exactly the same.
pub(super) fn register(engine: &mut Engine) {
    replacing(engine);
    padding(engine);
    printing(engine);
    json(engine);
    comparing(engine);
    engine
        .register_fn("sleep", |_: i64| unavailable("sleep"))
        .register_fn("sleep", |_: f64| unavailable("sleep"))
        .register_fn("exit", || unavailable("exit"))
        .register_fn("exit", |_: Dynamic| unavailable("exit"))
        .register_fn("to_blob", |_: &str| unavailable("to_blob"));
}

fn unavailable(name: &str) -> Fallible<()> {
    Err(fault(format!("`{name}` is not available here")))
}

/// `replace` multiplies lengths: 60 KB of `a` with 60 KB for each would be 3.6 GB.
fn replacing(engine: &mut Engine) {
    engine
        .register_fn("replace", |text: &mut ImmutableString, from: &str, to: &str| {
            replace(text, from, to)
        })
        .register_fn("replace", |text: &mut ImmutableString, from: &str, to: char| {
            replace(text, from, to.encode_utf8(&mut [0; 4]))
        })
        .register_fn("replace", |text: &mut ImmutableString, from: char, to: &str| {
            replace(text, from.encode_utf8(&mut [0; 4]), to)
        })
        .register_fn("replace", |text: &mut ImmutableString, from: char, to: char| {
            replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
        });
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Fallible<()> {
    let times = text.matches(from).count();
    if text.len() + times.saturating_mul(to.len()) > MAX_STRING + times * from.len() {
        return Err(too_long());
    }
    *text = text.replace(from, to).into();
    Ok(())
}

#[expect(
    clippy::unnecessary_box_returns,
    reason = "host functions return boxed errors, and so does what they return with"
)]
fn too_long() -> Box<rhai::EvalAltResult> {
    fault(format!("the text would be longer than the {MAX_STRING} bytes a string may hold"))
}

/// The standard `pad` never ends when it is given an empty text to pad with.
fn padding(engine: &mut Engine) {
    engine
        .register_fn("pad", |text: &mut ImmutableString, length: i64, with: char| {
            pad(text, length, with.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |text: &mut ImmutableString, length: i64, with: &str| {
            pad(text, length, with)
        });
}

fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Fallible<()> {
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(text.chars().count());
    if missing > MAX_STRING {
        return Err(too_long());
    }
    let filling: String = with.chars().cycle().take(missing).collect();
    *text = format!("{text}{filling}").into();
    Ok(())
}

/// Arrays and maps print in full before anything looks at the length of the text.
///
/// These take their argument by value: after a function that takes a reference, the engine checks
/// the size of what it refers to, and where that fails an interpolation falls back to printing
/// without bound.
fn printing(engine: &mut Engine) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine
            .register_fn(name, |items: Array| bounded(|out| write_array(out, &items)))
            .register_fn(name, |map: Map| bounded(|out| write_map(out, &map)))
            .register_fn(name, |json: Json| text(&Dynamic::from(json)))
            .register_fn(name, |ending: Ending| ending.text());
    }
}

/// The standard comparison of deep values recurses through the whole engine at every level.
fn comparing(engine: &mut Engine) {
    engine
        .register_fn("==", |a: Map, b: Map| equal_maps(&a, &b, 0))
        .register_fn("!=", |a: Map, b: Map| equal_maps(&a, &b, 0).map(|same| !same))
        .register_fn("==", |a: Array, b: Array| equal_arrays(&a, &b, 0))
        .register_fn("!=", |a: Array, b: Array| equal_arrays(&a, &b, 0).map(|same| !same));
}

fn equal_maps(a: &Map, b: &Map, depth: usize) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, left) in a {
        match b.get(key) {
            Some(right) if equal(left, right, depth + 1)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn equal_arrays(a: &[Dynamic], b: &[Dynamic], depth: usize) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (left, right) in a.iter().zip(b) {
        if !equal(left, right, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal(a: &Dynamic, b: &Dynamic, depth: usize) -> Fallible<bool> {
    if depth > MAX_DEPTH {
        return Err(fault(format!(
            "values nested deeper than {MAX_DEPTH} levels cannot be compared"
        )));
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        return equal_maps(&a, &b, depth);
    }
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        return equal_arrays(&a, &b, depth);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Json>(), b.read_lock::<Json>()) {
        return Ok(a.value() == b.value());
    }
    if a.is::<Secret>() || b.is::<Secret>() {
        return Err(fault("a Secret cannot be compared"));
    }
    Ok(match (a.as_int(), b.as_int(), number(a), number(b)) {
        (Ok(a), Ok(b), ..) => a == b,
        (_, _, Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
        _ => a.type_id() == b.type_id() && (a.is_unit() || same_scalar(a, b)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "the language compares integers with floats so")]
fn number(value: &Dynamic) -> Option<f64> {
    let integer = value.as_int().ok().map(|integer| integer as f64);
    integer.or_else(|| value.as_float().ok())
}

fn same_scalar(a: &Dynamic, b: &Dynamic) -> bool {
    let texts = (a.as_immutable_string_ref(), b.as_immutable_string_ref());
    match texts {
        (Ok(a), Ok(b)) => *a == *b,
        _ => {
            (a.is_bool() || a.is_char()) && a.as_bool() == b.as_bool() && a.as_char() == b.as_char()
        }
    }
}

fn json(engine: &mut Engine) {
    engine
        .register_fn("parse_json", |text: &str| {
            serde_json::from_str(text)
                .map(|value: Value| Json::present(value.into()))
                .map_err(|error| fault(format!("the text is not JSON: {error}")))
        })
        .register_fn("to_json", |map: Map| to_json(map.into()))
        .register_fn("to_json", |items: Array| to_json(items.into()))
        .register_fn("to_json", |json: Json| bounded_text(json.value()));
}

fn to_json(value: Dynamic) -> Fallible<String> {
    let value = Output::at_most(MAX_STRING * 8).value(value).map_err(fault)?;
    bounded_text(&value)
}

/// Compact JSON text, unless it is longer than a script's string may be.
fn bounded_text(value: &Value) -> Fallible<String> {
    struct Bounded(Vec<u8>);
    impl std::io::Write for Bounded {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() + bytes.len() > MAX_STRING {
                return Err(std::io::Error::other("too long"));
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut text = Bounded(Vec::new());
    serde_json::to_writer(&mut text, value)
        .ok()
        .and_then(|()| String::from_utf8(text.0).ok())
        .ok_or_else(|| {
            fault(format!("this JSON is longer than the {MAX_STRING} bytes a string may hold"))
        })
}

/// Any value as text, cut off where a string would be too long.
pub(super) fn text(value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    if let Some(json) = value.read_lock::<Json>()
        && let Value::String(text) = json.value()
    {
        return bounded(|out| out.write_str(text));
    }
    bounded(|out| write_value(out, value))
}

/// A text that refuses to grow past the limit of a script's string.
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = MAX_STRING.saturating_sub(self.0.len() + '…'.len_utf8());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        self.0.push('…');
        Err(std::fmt::Error)
    }
}

fn bounded(write: impl FnOnce(&mut Bounded) -> std::fmt::Result) -> String {
    let mut out = Bounded(String::new());
    // An error only means that the text was cut off.
    let _ = write(&mut out);
    out.0
}

fn write_array(out: &mut Bounded, items: &[Dynamic]) -> std::fmt::Result {
    out.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write_value(out, item)?;
    }
    out.write_str("]")
}

fn write_map(out: &mut Bounded, map: &Map) -> std::fmt::Result {
    out.write_str("#{")?;
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write!(out, "{key:?}: ")?;
        write_value(out, value)?;
    }
    out.write_str("}")
}

fn write_value(out: &mut Bounded, value: &Dynamic) -> std::fmt::Result {
    if let Ok(text) = value.as_immutable_string_ref() {
        return write!(out, "{:?}", text.as_str());
    }
    if let Ok(items) = value.as_array_ref() {
        return write_array(out, &items);
    }
    if let Ok(map) = value.as_map_ref() {
        return write_map(out, &map);
    }
    if let Some(json) = value.read_lock::<Json>() {
        return write!(out, "{}", json.value());
    }
    if let Some(ending) = value.read_lock::<Ending>() {
        return out.write_str(&ending.text());
    }
    if value.is::<Secret>() {
        return out.write_str(MASK);
    }
    if value.is_unit() {
        return out.write_str("()");
    }
    write!(out, "{value}")
}
