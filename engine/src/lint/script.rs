//! Rules about the script, and about what the definition says of it.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Linter, Rule};
use crate::{nearest::nearest, schema::member, script::reference};

static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)https?://([a-z0-9][a-z0-9.-]*(?::[0-9]+)?)(\$|\{)?").expect("it is a pattern")
});
/// `trigger.config` passed on as a whole.
static WHOLE_CONFIG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\bconfig\s*[,)}]|\bconfig\.(keys|values|to_map)\(").expect("it is a pattern")
});

/// What authors call the entry points who know them from elsewhere.
const SYNONYMS: [(&str, &[&str]); 6] = [
    ("events", &["map", "mapping", "transform", "on_event", "handle", "receive", "parse"]),
    ("register", &["subscribe", "create", "create_webhook", "enable", "on_enable", "activate"]),
    ("unregister", &["unsubscribe", "delete", "remove", "disable", "on_disable", "deactivate"]),
    ("renew", &["refresh", "extend", "reregister", "resubscribe"]),
    ("signature", &["verify", "verification", "verify_signature", "sign", "authenticate"]),
    ("status", &["health", "check", "state", "exists", "check_exists"]),
];

pub(super) fn check(linter: &mut Linter<'_>) {
    lifecycle(linter);
    functions(linter);
    urls(linter);
    hosts(linter);
    triggers(linter);
}

fn lifecycle(linter: &mut Linter<'_>) {
    let Some(register) = linter.function("register") else { return };
    let mut missing = |rule, name: &str, message: &str, hint: &str| {
        if linter.function(name).is_none() {
            linter.in_script(rule, register, message, hint);
        }
    };
    missing(
        Rule::UnregisterMissing,
        "unregister",
        "subscriptions are registered but never removed",
        "Add `fn unregister(http, trigger)`; that it is gone already is success.",
    );
    missing(
        Rule::StatusMissing,
        "status",
        "the health of a subscription cannot be asked for",
        "Add `fn status(http, trigger)` that returns its `state`.",
    );
    let expires = linter.outline.code.find("expires_at:");
    if let Some(expires) = expires.filter(|_| linter.function("renew").is_none()) {
        let message = "the subscription expires, and nothing renews it";
        let hint = "Add `fn renew(http, trigger)`; where the provider only knows a new one, call \
                    `register(http, trigger)` in it.";
        linter.in_script(Rule::RenewMissing, expires, message, hint);
    }
}

fn functions(linter: &mut Linter<'_>) {
    let mut found = Vec::new();
    for function in &linter.outline.functions {
        let (name, offset) = (function.name.as_str(), function.offset);
        if let Some(entry) = reference::entry_points().find(|entry| entry.name == name) {
            if !entry.called {
                let message = format!("`{name}` is never called by this version");
                found.push((Rule::FunctionIdle, offset, message, "Remove it for now.".to_owned()));
            }
        } else if !linter.outline.uses(linter.source, name) {
            let message = format!("the function `{name}` is never called");
            let hint = meant(name).map_or_else(
                || "Remove it.".to_owned(),
                |meant| format!("Did you mean `{meant}`? Otherwise remove it."),
            );
            found.push((Rule::FunctionUnused, offset, message, hint));
        }
    }
    for (rule, offset, message, hint) in found {
        linter.in_script(rule, offset, message, hint);
    }
}

fn meant(name: &str) -> Option<&'static str> {
    let known = SYNONYMS.iter().find(|(_, others)| others.contains(&name));
    known
        .map(|(entry, _)| *entry)
        .or_else(|| nearest(name, reference::entry_points().map(|entry| entry.name)))
}

/// URLs written out in the script, but for those that describe signatures: they name issuers, and
/// keys whose hosts are checked elsewhere.
fn urls(linter: &mut Linter<'_>) {
    let allowed = linter.app.allowed_hosts(&base_url(linter));
    let mut describing = reached_from(linter, "signature");
    describing.extend(reached_from(linter, "signature_of"));
    let mut found = Vec::new();
    for url in URL.captures_iter(&linter.code) {
        let (start, host) = (url.get(0).map_or(0, |whole| whole.start()), &url[1]);
        // A host that is put together when the script runs is not known here.
        if url.get(2).is_some() || describing.iter().any(|range| range.contains(&start)) {
            continue;
        }
        if !allowed.iter().any(|one| one.eq_ignore_ascii_case(host)) {
            found.push((start, host.to_owned()));
        }
    }
    for (offset, host) in found {
        let message = format!("the host `{host}` is not among the `hosts` of app.yaml");
        linter.in_script(Rule::HostUnlisted, offset, message, "Add it there.");
    }
}

/// Where a function stands, and those it calls.
fn reached_from(linter: &Linter<'_>, name: &str) -> Vec<Range<usize>> {
    let functions = &linter.outline.functions;
    let mut reached: Vec<Range<usize>> = Vec::new();
    let mut open: Vec<&str> = vec![name];
    while let Some(name) = open.pop() {
        let Some(function) = functions.iter().find(|one| one.name == name) else { continue };
        let range = function.offset..function.end;
        if reached.contains(&range) {
            continue;
        }
        let body = &linter.code[range.clone()];
        let called = functions.iter().filter(|one| body.contains(&format!("{}(", one.name)));
        open.extend(called.map(|one| one.name.as_str()));
        reached.push(range);
    }
    reached
}

fn hosts(linter: &mut Linter<'_>) {
    let base = base_url(linter);
    let api = url::Url::parse(&base).ok();
    let api = api.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned();
    let auth = linter.definition["auth"].to_string();
    let unused: Vec<(usize, String)> = linter
        .app
        .definition
        .hosts
        .iter()
        .enumerate()
        .filter(|(_, host)| {
            let name = host.split(':').next().unwrap_or_default();
            name != api && !linter.code.contains(name) && !auth.contains(name)
        })
        .map(|(index, host)| (index, host.clone()))
        .collect();
    // A script that puts hosts together, or follows URLs it was given, may reach any of them.
    if linter.code.contains("https://${") || (api.is_empty() && linter.code.contains("http.")) {
        return;
    }
    for (index, host) in unused {
        let message = format!("nothing in this folder mentions the host `{host}`");
        linter.in_definition(Rule::HostUnused, &format!("/hosts/{index}"), message, "Remove it.");
    }
}

fn base_url(linter: &Linter<'_>) -> String {
    linter.app.definition.base_url.clone().unwrap_or_default()
}

fn triggers(linter: &mut Linter<'_>) {
    let triggers = linter.definition["triggers"].as_array().cloned().unwrap_or_default();
    let passed_on = WHOLE_CONFIG.is_match(&linter.code);
    let mut told = Vec::new();
    for (index, trigger) in triggers.iter().enumerate() {
        if triggers.len() > 1 && trigger["match"].as_object().is_some_and(serde_json::Map::is_empty)
        {
            let message = "this trigger takes every delivery, although there are others";
            let hint = "Say by what its deliveries are told apart, such as { path: $.body.type, \
                        equals: ticket.closed }.";
            linter.in_definition(
                Rule::MatchMissing,
                &format!("/triggers/{index}/match"),
                message,
                hint,
            );
        }
        let properties = trigger["config"]["properties"].as_object();
        for (name, _) in properties.into_iter().flatten() {
            // Triggers often share a configuration.
            if passed_on || linter.mentions(name) || told.contains(name) {
                continue;
            }
            told.push(name.clone());
            let pointer = member(&format!("/triggers/{index}/config/properties"), name);
            let message = format!("nothing in the script reads `trigger.config.{name}`");
            let hint = "Use it in `events` or `register`, or remove it.";
            linter.in_definition(Rule::ConfigUnread, &pointer, message, hint);
        }
    }
}
