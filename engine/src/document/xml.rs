//! XML to JSON. The only file that names the library.
//!
//! An element is an object: its attributes under `@name`, its children under their names (several
//! of one name are an array), its text under `#text`; an element of nothing but text is that
//! text. Names keep the prefix they are written with. There are no entities but the five of the
//! standard, and no document type, so that nothing is ever fetched or multiplied.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};
use serde_json::{Map, Value};

use super::{body::malformed, multipart::add};
use crate::Rejection;

/// Levels of elements; scripts and the store take no more.
const DEPTH: usize = 100;

/// An element that is not closed yet. The first one of all is the document.
#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// The object with the document's one root element as its member.
pub(super) fn parse(text: &str) -> Result<Value, Rejection> {
    let mut reader = Reader::from_str(text);
    let mut document = Element::default();
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = reader.read_event().or_else(|error| unreadable(&error))?;
        match event {
            Event::Start(_) if open.len() == DEPTH => {
                return malformed(format!("XML of more than {DEPTH} levels"));
            }
            Event::Start(tag) => open.push(Element::new(&tag)?),
            Event::Empty(tag) => Element::new(&tag)?.close(open.last_mut(), &mut document),
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    element.close(open.last_mut(), &mut document);
                }
            }
            Event::Text(text) => {
                open.last_mut().unwrap_or(&mut document).text.push_str(&text.xml10_content());
            }
            Event::CData(text) => {
                open.last_mut().unwrap_or(&mut document).text.push_str(&text.xml10_content());
            }
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut().unwrap_or(&mut document).text;
                resolve(&reference, text)?;
            }
            Event::DocType(_) => return malformed("XML with a document type is not accepted"),
            Event::Decl(declaration) => check_encoding(&declaration, text)?,
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(element) = open.last() {
        return malformed(format!("not XML: <{}> is never closed", element.name));
    }
    let one_root = document.members.len() == 1 && !document.members.values().any(Value::is_array);
    if !one_root || !document.text.trim().is_empty() {
        return malformed("not XML: there must be one root element and nothing beside it");
    }
    Ok(Value::Object(document.members))
}

impl Element {
    fn new(tag: &BytesStart<'_>) -> Result<Self, Rejection> {
        let mut members = Map::new();
        // The library would compare every attribute with every other.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.or_else(|error| unreadable(&error.into()))?;
            let name = format!("@{}", attribute.key.into_inner());
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.or_else(|error| unreadable(&error))?.into_owned();
            if members.insert(name, Value::String(value)).is_some() {
                return malformed("not XML: an attribute is given twice");
            }
        }
        let name = tag.name().into_inner().to_owned();
        Ok(Self { name, members, text: String::new() })
    }

    fn close(self, parent: Option<&mut Self>, document: &mut Self) {
        let Self { name, mut members, text } = self;
        let blank = text.trim().is_empty();
        let value = if members.is_empty() {
            Value::String(if blank { String::new() } else { text })
        } else {
            if !blank {
                members.insert("#text".to_owned(), Value::String(text));
            }
            Value::Object(members)
        };
        add(&mut parent.unwrap_or(document).members, name, value);
    }
}

fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Rejection> {
    if let Some(character) = reference.resolve_char_ref().or_else(|error| unreadable(&error))? {
        text.push(character);
        return Ok(());
    }
    match resolve_predefined_entity(reference) {
        Some(meaning) => text.push_str(meaning),
        None => return malformed(format!("not XML: the entity &{};", &**reference)),
    }
    Ok(())
}

/// The body is UTF-8, whatever it says, or it would not have come so far; but one that says
/// otherwise may mean other characters.
fn check_encoding(declaration: &BytesDecl<'_>, text: &str) -> Result<(), Rejection> {
    let declared = match declaration.encoding() {
        None => return Ok(()),
        Some(encoding) => encoding.or_else(|error| unreadable(&error.into()))?,
    };
    if declared.eq_ignore_ascii_case("utf-8") || text.is_ascii() {
        return Ok(());
    }
    malformed(format!("XML in {declared} is not accepted, only in UTF-8"))
}

fn unreadable<T>(error: &quick_xml::Error) -> Result<T, Rejection> {
    malformed(format!("not XML: {error}"))
}
