//! YAML with places: text to JSON values, duplicate keys refused, and the line and column of any
//! node by its JSON pointer. The only file that names the YAML library.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// YAML that cannot be read, and where. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

/// Reads `text` as one JSON value. A key that comes twice is an error: silently keeping one of
/// two values would hide a mistake.
pub(crate) fn parse(text: &str) -> Result<Value, YamlError> {
    Strict.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let full = error.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full);
        let message = message
            .rsplit_once(": ")
            .map_or(message, |(path, rest)| if path.contains(' ') { message } else { rest });
        YamlError { line, column, message: message.to_owned() }
    })
}

/// Writes a value as a block of YAML that every reader reads as the same again: the library writes
/// YAML 1.2, in which `no` is a text.
pub fn write(value: &Value) -> String {
    let mut text = String::new();
    emit(value, 0, &mut text);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn emit(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    text.extend(std::iter::repeat_n(' ', indent));
                }
                text.push_str(&scalar(key));
                text.push(':');
                let inside = matches!(value, Value::Object(inner) if !inner.is_empty())
                    || matches!(value, Value::Array(inner) if !inner.is_empty());
                if inside {
                    text.push('\n');
                    text.extend(std::iter::repeat_n(' ', indent + 2));
                } else {
                    text.push(' ');
                }
                emit(value, indent + 2, text);
                end_line(text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.extend(std::iter::repeat_n(' ', indent));
                }
                text.push_str("- ");
                emit(item, indent + 2, text);
                end_line(text);
            }
        }
        Value::String(words) => text.push_str(&scalar(words)),
        other => text.push_str(&other.to_string()),
    }
}

fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Plain where no reader takes it for anything but text, and quoted as in JSON otherwise.
fn scalar(text: &str) -> String {
    const OTHERS: [&str; 9] = ["yes", "no", "on", "off", "y", "n", "true", "false", "null"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " -_./@".contains(c))
        && !text.ends_with(' ')
        && !OTHERS.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

/// Where the node at a JSON pointer stands. Where the node is missing, the place of its nearest
/// parent.
pub(crate) fn locate(text: &str, pointer: &str) -> (usize, usize) {
    let mut steps: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    loop {
        if let Some(place) = place_of(text, &steps) {
            return place;
        }
        if steps.pop().is_none() {
            return (1, 1);
        }
    }
}

/// Descends to the node and fails there on purpose: the reader adds the place to the error.
fn place_of(text: &str, steps: &[String]) -> Option<(usize, usize)> {
    let error = Seek(steps).deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    let location = error.location().filter(|_| error.to_string().contains(FOUND))?;
    Some((location.line(), location.column()))
}

fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// The message of the error raised on purpose.
const FOUND: &str = "the node sought stands here";

struct Seek<'p>(&'p [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FOUND)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else {
            return Err(de::Error::custom(FOUND));
        };
        // The place of a member is that of its key: it is what the author recognises.
        loop {
            match map.next_key_seed(Key { sought: step, last: rest.is_empty() })? {
                Some(true) => return map.next_value_seed(Seek(rest)),
                Some(false) => drop(map.next_value::<IgnoredAny>()?),
                None => return Err(de::Error::custom("no such member")),
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else {
            return Err(de::Error::custom(FOUND));
        };
        let index: usize = step.parse().map_err(de::Error::custom)?;
        for _ in 0..index {
            seq.next_element::<IgnoredAny>()?;
        }
        seq.next_element_seed(Seek(rest))?.ok_or_else(|| de::Error::custom("no such element"))
    }
}

/// Whether a key is the one sought; fails at it if it is the end of the way.
struct Key<'p> {
    sought: &'p str,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        match (key == self.sought, self.last) {
            (true, true) => Err(E::custom(FOUND)),
            (is_it, _) => Ok(is_it),
        }
    }
}

/// Reads any node, refusing duplicate keys.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON knows")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom("this number has no JSON form"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = map.next_key_seed(NewKey(&members))? {
            let value = map.next_value_seed(Self)?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

/// A key that is not among the members read so far.
struct NewKey<'m>(&'m Map<String, Value>);

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key of text")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.0.contains_key(key) {
            return Err(E::custom(format!("the key `{key}` comes twice; keep one of the two")));
        }
        Ok(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        let value = json!({
            "a": [], "b": {}, "c": [[1, "no"], { "on": null, "d": { "e": [true, { "f": "x: y" }] } }],
            "g": "two\nlines # and\ta tab", "h": -0.5, "0123": "0123", "": " ",
        });
        assert_eq!(parse(&write(&value)), Ok(value));
        assert_eq!(
            write(&json!({ "a": [{ "b": "no", "c": 1 }] })),
            "a:\n  - b: \"no\"\n    c: 1\n"
        );
        assert_eq!(write(&json!("x")), "x\n");
    }
}
