// What Slack finds wrong with a manifest, as far as its published types tell.
import { readFileSync } from "node:fs";

const types = JSON.parse(readFileSync(new URL("slack-manifest.json", import.meta.url)));
// Members that Slack's answers have and its types of requests have not; an export is sent back whole.
const FURTHER = { oauth_config: ["pkce_enabled"], settings: ["hermes_app_type", "is_mcp_enabled", "background_color", "description", "long_description"] };

/** Errors as `apps.manifest.validate` lists them. */
export function problems(text) {
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    return [problem("", "The manifest is not JSON")];
  }
  const { display_information, settings = {}, oauth_config = {} } = manifest;
  const subscriptions = settings.event_subscriptions;
  const found = [
    ...unknown("", manifest, types.manifest),
    ...unknown("/settings", settings, [...types.settings, ...FURTHER.settings]),
    ...unknown("/settings/event_subscriptions", subscriptions ?? {}, types.event_subscriptions),
    ...unknown("/oauth_config", oauth_config, [...types.oauth_config, ...FURTHER.oauth_config]),
    ...strangers("/settings/event_subscriptions/bot_events", subscriptions?.bot_events ?? [], types.events),
    ...strangers("/oauth_config/scopes/bot", oauth_config.scopes?.bot ?? [], types.bot_scopes),
  ];
  if (!display_information?.name) found.push(problem("/display_information", "Missing required field: name"));
  if (subscriptions && !subscriptions.request_url && !settings.socket_mode_enabled) {
    found.push(problem("/settings/event_subscriptions", "Event Subscription requires either Request URL or Socket Mode Enabled"));
  }
  if ((subscriptions?.bot_events ?? []).length > 100) found.push(problem("/settings/event_subscriptions/bot_events", "At most 100 events"));
  return found;
}

const problem = (pointer, message) => ({ message, pointer });

function unknown(pointer, object, members) {
  return Object.keys(object).filter((key) => !members.includes(key)).map((key) => problem(`${pointer}/${key}`, "Unknown field"));
}

function strangers(pointer, list, known) {
  const repeated = list.filter((one, index) => list.indexOf(one) !== index).map((one) => problem(pointer, `${one} stands there twice`));
  return [...list.flatMap((one, index) => (known.includes(one) ? [] : [problem(`${pointer}/${index}`, `${one} is not known`)])), ...repeated];
}
