//! What authors may write in a script, for the reference in the documentation: the functions the
//! engine calls, and the functions it offers. Tests hold both lists complete.

use std::collections::{BTreeMap, BTreeSet};

use super::{compile::KNOWN, native_functions};

/// A function of a script that the engine calls.
#[derive(Debug, Clone, Copy)]
pub struct EntryPoint {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub parameters: &'static [&'static str],
    /// What it is for, and what it returns.
    pub about: &'static str,
    /// Whether this version calls it at all.
    pub called: bool,
}

/// A function or property that the engine offers to scripts.
#[derive(Debug, Clone, Copy)]
pub struct HostFunction {
    /// How it is written.
    pub call: &'static str,
    /// What it gives.
    pub about: &'static str,
}

/// Host functions that belong together.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// The functions.
    pub functions: &'static [HostFunction],
}

const ABOUT: [(&str, &str); 11] = [
    (
        "signature",
        "How deliveries are signed: a map, or an array of alternatives. Called once, when the folder is loaded; without it the definition must say why under `unverified`.",
    ),
    (
        "signature_of",
        "In place of `signature`, where how deliveries are signed depends on the trigger's configuration: the same map, for this trigger. Called when a trigger is made or read; what it gets wrong is told under `/config`.",
    ),
    (
        "events",
        "Makes events of a verified delivery that the trigger's `match` lets through: a map or an array of maps with `data` and, where there are any, `id`, `occurred_at` and `type`; or `skip(\"why\")`. No HTTP. Without it the body is the event.",
    ),
    (
        "register",
        "Makes a subscription at the provider; returns `#{ external_id, secret, expires_at, renew_at, renew_after, cursor, state }`, all of them optional. Without it users set it up by hand.",
    ),
    (
        "unregister",
        "Ends a subscription; returning at all is success. That it is gone already is success too.",
    ),
    (
        "status",
        "Asks the provider: `#{ state: \"active\" }`, `#{ state: \"inactive\", reason }` or `#{ state: \"missing\" }`.",
    ),
    (
        "list",
        "Every subscription of this account at the provider: an array of `#{ external_id, url, active }`.",
    ),
    (
        "renew",
        "Renews a subscription before it expires; returns what `register` returns. Without it `register` is called again.",
    ),
    (
        "expand",
        "For thin notices: fetches what has changed since `trigger.cursor`, and returns `#{ events, cursor, more }`. `notice` is the request document, or `()` for a look without one.",
    ),
    (
        "identify",
        "Asks the provider whose credentials these are, when an account is linked: `#{ id, name, metadata }`.",
    ),
    (
        "subscription_key",
        "A text that says which triggers share one subscription at the provider. No HTTP.",
    ),
];

/// Functions whose names are kept for later versions.
const IDLE: [&str; 3] = ["challenge", "recover", "poll"];

/// What the engine offers, by topic.
pub const GROUPS: [Group; 6] = [
    Group {
        title: "Ending",
        functions: &[
            HostFunction {
                call: "skip(reason)",
                about: "Ends `events` without an event; the receipt shows the reason.",
            },
            HostFunction {
                call: "throw provider_error(answer)",
                about: "Ends a call and passes on what the provider objected, in its own words.",
            },
            HostFunction {
                call: "throw provider_error(answer, advice)",
                about: "The same, with a sentence for users on what to do.",
            },
            HostFunction {
                call: "throw provider_error(answer, #{ status, message, hint })",
                about: "The same, where the provider objects with another status or in a form of its own. Without an answer, `provider_error(#{ … })`.",
            },
        ],
    },
    Group {
        title: "Calls to the provider",
        functions: &[
            HostFunction {
                call: "http.get(url)",
                about: "Sends a request, and gives the answer. Only to `base_url` and the `hosts` of app.yaml, over HTTPS; redirects are not followed.",
            },
            HostFunction {
                call: "http.get(url, options)",
                about: "The same with `#{ headers }`, and one of `json`, `form` and `body`. Fields of a form or header may be secrets.",
            },
            HostFunction { call: "http.post(url, options)", about: "As `get`." },
            HostFunction { call: "http.put(url, options)", about: "As `get`." },
            HostFunction { call: "http.patch(url, options)", about: "As `get`." },
            HostFunction { call: "http.delete(url, options)", about: "As `get`." },
            HostFunction { call: "answer.status", about: "The HTTP status." },
            HostFunction { call: "answer.ok", about: "Whether the status is 200 to 299." },
            HostFunction {
                call: "answer.headers",
                about: "Header fields, names in lower case; repeated ones joined by `, `.",
            },
            HostFunction {
                call: "answer.body",
                about: "The JSON body. Where a successful answer has none, reading a field of it is an error.",
            },
            HostFunction { call: "answer.text", about: "The body as text, cut off at 64 KiB." },
        ],
    },
    Group {
        title: "JSON",
        functions: &[
            HostFunction {
                call: "json.name, json[\"name\"], json[0]",
                about: "A member or element; `()` where it is missing, all the way down. Negative indices count from the end.",
            },
            HostFunction {
                call: "json.len()",
                about: "Members, elements, or characters; 0 of anything else.",
            },
            HostFunction { call: "json.is_empty()", about: "Whether there are none." },
            HostFunction {
                call: "json.contains(value)",
                about: "Whether an array has the element, an object the key, a text the part.",
            },
            HostFunction { call: "json.keys()", about: "The keys of an object." },
            HostFunction {
                call: "json.values()",
                about: "The members of an object, or the elements.",
            },
            HostFunction {
                call: "json.to_array()",
                about: "The elements as an array that can be changed.",
            },
            HostFunction {
                call: "json.to_map()",
                about: "The members as a map that can be changed.",
            },
            HostFunction {
                call: "json.to_string()",
                about: "A text as it is, anything else as JSON.",
            },
            HostFunction { call: "parse_json(text)", about: "JSON in a text." },
            HostFunction {
                call: "to_json(value)",
                about: "A map, an array or JSON as compact text.",
            },
            HostFunction { call: "json.tag", about: "The member `tag`, like any other." },
        ],
    },
    Group {
        title: "Times",
        functions: &[HostFunction {
            call: "later(moment, seconds)",
            about: "The moment so many seconds after another, as RFC 3339; the moment may be RFC 3339 or a date as header fields have it.",
        }],
    },
    Group {
        title: "Secrets",
        functions: &[
            HostFunction {
                call: "\"Bearer \" + secret",
                about: "Secrets and credentials join with texts and with each other; what comes of it is secret too. Printed, they show `[secret]`; they cannot be compared.",
            },
            HostFunction {
                call: "basic_auth(user, password)",
                about: "The value of an `Authorization` header of the scheme Basic.",
            },
            HostFunction {
                call: "url_encode(text)",
                about: "A text or secret, percent-encoded for a URL.",
            },
        ],
    },
    Group {
        title: "Looking on",
        functions: &[HostFunction {
            call: "print(value)",
            about: "Writes to the server's log at the level debug, secrets hidden.",
        }],
    },
];

/// The functions the engine calls, in the order of the documentation.
pub fn entry_points() -> impl Iterator<Item = EntryPoint> {
    KNOWN.iter().map(|(name, parameters)| EntryPoint {
        name,
        parameters,
        about: ABOUT.iter().find(|(known, _)| known == name).map_or("", |(_, about)| about),
        called: !IDLE.contains(name),
    })
}

/// The language's own functions by what they are called on, as far as scripts have use for them.
pub fn language_functions() -> BTreeMap<&'static str, BTreeSet<String>> {
    let kinds = [
        ("string", "texts"),
        ("array", "arrays"),
        ("map", "maps"),
        ("i64", "whole numbers"),
        ("f64", "numbers with a fraction"),
    ];
    let mut functions: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for signature in native_functions() {
        let Some((name, rest)) = signature.split_once('(') else { continue };
        let word =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
        let parameters = rest.split(')').next().unwrap_or_default();
        let first = parameters.split(", ").next().and_then(|first| first.split_once(": "));
        let kind = first.map_or("", |(_, kind)| kind.trim_start_matches("&mut "));
        let Some((_, title)) = kinds.iter().find(|(known, _)| *known == kind) else { continue };
        // The engine's own, whose parameters have no names, are among the host functions.
        if !word || rest.starts_with("_: ") || HIDDEN.contains(&name) || name.starts_with("set$") {
            continue;
        }
        let shown = match name.strip_prefix("get$") {
            Some(property) => format!(".{property}"),
            None => format!("{name}()"),
        };
        functions.entry(*title).or_default().insert(shown);
    }
    functions
}

/// Functions of no use to scripts, or replaced by a refusal.
const HIDDEN: [&str; 7] =
    ["sleep", "exit", "to_blob", "get_fn_metadata_list", "get$tag", "set_tag", "to_debug"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_point_is_described() {
        let silent: Vec<_> = entry_points()
            .filter(|one| one.called && one.about.is_empty())
            .map(|one| one.name)
            .collect();
        assert!(silent.is_empty(), "say in ABOUT what these are for: {silent:?}");
    }

    /// The engine's own functions are told by their parameters, which have no names.
    #[test]
    fn every_host_function_is_described() {
        let described = |name: &str| {
            let calls = GROUPS.iter().flat_map(|group| group.functions);
            calls.into_iter().any(|one| {
                let words = |c: char| !c.is_alphanumeric() && c != '_';
                one.call.split(words).any(|word| word == name)
            })
        };
        let standard = ["replace", "pad", "sleep", "exit", "to_blob", "to_debug", "debug"];
        let mut silent = BTreeSet::new();
        for signature in native_functions() {
            let Some((name, rest)) = signature.split_once('(') else { continue };
            let name = name.trim_start_matches("get$");
            let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if word && rest.starts_with("_: ") && !standard.contains(&name) && !described(name) {
                silent.insert(name.to_owned());
            }
        }
        assert!(silent.is_empty(), "say in GROUPS what these do: {silent:?}");
    }
}
