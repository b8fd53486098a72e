//! The commands that show a newcomer an event, made from the samples of the first app.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{KEY, playbook::Playbook};

/// The walkthrough, ready to be copied into a shell.
pub(super) fn text(playbooks: &[Playbook], server: &str, provider: &str) -> String {
    let playable = playbooks.iter().find(|playbook| playbook.account.is_some());
    let Some(playbook) = playable.or(playbooks.first()) else {
        return String::new();
    };
    let Some((sample, delivery)) = playbook.deliveries.iter().next() else {
        return String::new();
    };
    let slug = playbook.slug();
    let mut trigger =
        BTreeMap::from([("trigger", json!(delivery.trigger)), ("config", delivery.config.clone())]);
    let mut link = String::new();
    if let Some(account) = &playbook.account {
        link = format!(
            "# Link an account, and create a trigger with it\n\
             ACCOUNT=$(curl -s $API/linked-accounts -H \"$KEY\" -H \"$JSON\" -d {} | grep -o 'acc_[0-9a-v]*' | head -n 1)\n",
            quoted(&json!({
                "app": slug,
                "name": "demo",
                "kind": account.kind,
                "credentials": account.credentials,
                "metadata": account.metadata.clone().unwrap_or_else(|| json!({})),
            })),
        );
        trigger.insert("linked_account_id", json!("ACCOUNT"));
    }
    // Out of the single quotes, so that the shell fills it in.
    let trigger = quoted(&json!(trigger)).replace("\"ACCOUNT\"", "\"'$ACCOUNT'\"");
    format!(
        "Try it out, in another terminal:\n\n\
         API={server}/v1 KEY='Authorization: Bearer {KEY}' JSON='Content-Type: application/json'\n\
         {link}curl -s $API/triggers -H \"$KEY\" -H \"$JSON\" -d {trigger}; echo\n\
         # Let the pretend provider deliver a signed webhook (GET {provider}/ lists others)\n\
         curl -sX POST {provider}/deliver/{slug}/{sample}; echo\n\
         # Read the event, and mark it processed\n\
         EVENT=$(curl -s \"$API/trigger-events?limit=1\" -H \"$KEY\" | grep -o 'evt_[0-9a-v]*' | head -n 1)\n\
         curl -s $API/trigger-events/$EVENT -H \"$KEY\"; echo\n\
         curl -sX DELETE $API/trigger-events/$EVENT -H \"$KEY\"; echo\n"
    )
}

/// JSON as one word for a shell.
fn quoted(value: &Value) -> String {
    format!("'{}'", value.to_string().replace('\'', r"'\''"))
}
