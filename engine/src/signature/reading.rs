//! A request as it is read for its signature: what stands in it where, and nothing decided yet.

use std::cell::OnceCell;

use serde_json::Value;

use crate::{Recipient, Request};

/// What signatures and the parts they sign are taken from.
#[derive(Clone, Copy)]
pub(super) struct Reading<'r> {
    pub(super) request: &'r Request,
    pub(super) recipient: &'r Recipient,
    /// The body as JSON, parsed when something asks for a field of it, and once.
    json: &'r OnceCell<Option<Value>>,
    /// The item that fields are relative to, where each item is signed for itself.
    item: Option<&'r Value>,
}

impl<'r> Reading<'r> {
    pub(super) fn new(
        request: &'r Request,
        recipient: &'r Recipient,
        json: &'r OnceCell<Option<Value>>,
    ) -> Self {
        Self { request, recipient, json, item: None }
    }

    /// The same request, with fields relative to `item`.
    pub(super) fn within(self, item: &'r Value) -> Self {
        Self { item: Some(item), ..self }
    }

    /// The body as JSON, if it is.
    pub(super) fn json(&self) -> Option<&'r Value> {
        self.json.get_or_init(|| serde_json::from_slice(&self.request.body).ok()).as_ref()
    }

    /// A field of the body as text: by JSON pointer, or by the name of a form field; `""` is the
    /// whole body. Only for schemes that put something they sign, or the signature itself, there.
    pub(super) fn field(&self, field: &str) -> Option<String> {
        if field.is_empty() && self.item.is_none() {
            return String::from_utf8(self.request.body.clone()).ok();
        }
        if self.item.is_none() && !field.starts_with('/') {
            let mut fields = url::form_urlencoded::parse(&self.request.body);
            let (_, value) = fields.find(|(name, _)| name == field)?;
            // Which of two counts would be a guess.
            return fields.all(|(name, _)| name != field).then(|| value.into_owned());
        }
        match self.item.or_else(|| self.json())?.pointer(field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// The value of a header field that came exactly once.
    pub(super) fn header(&self, name: &str) -> Option<&'r str> {
        let name = name.to_ascii_lowercase();
        let mut values = self.request.headers.iter().filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The value of a query parameter that came exactly once.
    pub(super) fn query(&self, name: &str) -> Option<&'r str> {
        let mut values = self.request.query.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// A public fact of the recipient as text.
    pub(super) fn fact(&self, name: &str) -> Option<String> {
        match self.recipient.facts.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
