// Events as Slack sends them. Slack's libraries verify signatures and do not make them: each is
// made after the published algorithm, and confirmed by Slack's own verifier before it is sent.
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { all, post } from "./provider.mjs";

// Not exported by name; the file is the one that Bolt's own receivers use.
const require = createRequire(import.meta.url);
const { verifySlackRequest } = require(require.resolve("@slack/bolt").replace(/index\.js$/, "receivers/verify-request.js"));

/** Envelopes of the vendor's own tests. */
export const examples = JSON.parse(readFileSync(new URL("fixtures/slack-envelopes.json", import.meta.url))).envelopes;

/** An envelope of today around an inner event. */
export function envelope(event, { team, app, bot_user, event_id, event_time, source_team }) {
  const now = Math.floor(Date.now() / 1000);
  return {
    token: "z26uFbvR1xHJEdHE1OQiO6t8", team_id: source_team ?? team, context_team_id: team, context_enterprise_id: null, api_app_id: app,
    event: { event_ts: `${now}.000200`, ...event }, type: "event_callback",
    event_id: event_id ?? `Ev${randomBytes(5).toString("hex").toUpperCase()}`, event_time: event_time ?? now,
    authorizations: [{ enterprise_id: null, team_id: team, user_id: bot_user ?? "U0BOT", is_bot: true, is_enterprise_install: false }],
    is_ext_shared_channel: Boolean(source_team), event_context: `4-${randomBytes(12).toString("base64url")}`,
  };
}

/** The value of X-Slack-Signature. */
export function sign(secret, timestamp, body) {
  const signature = `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`;
  const headers = { "x-slack-signature": signature, "x-slack-request-timestamp": timestamp };
  verifySlackRequest({ signingSecret: secret, body, headers, nowMilliseconds: timestamp * 1000 });
  return signature;
}

/**
 * Sends one event and tells how it was answered. `tamper` forges it in one of the ways a receiver
 * must notice; `retry` sends it as a repetition.
 */
export async function deliver({ url, secret, payload, tamper, retry, age = 0 }) {
  let body = JSON.stringify(payload);
  const timestamp = Math.floor(Date.now() / 1000) - age;
  const signature = sign(tamper === "wrong_secret" ? `${secret}x` : secret, timestamp, body);
  const headers = {
    accept: "*/*", "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)", "content-type": "application/json",
    "x-slack-request-timestamp": String(timestamp), "x-slack-signature": signature,
  };
  if (retry) Object.assign(headers, { "x-slack-retry-num": String(retry), "x-slack-retry-reason": "http_timeout" });
  if (tamper === "body") body = body.replace("{", "{ ");
  if (tamper === "signature") headers["x-slack-signature"] = signature.slice(0, -1) + (signature.endsWith("0") ? "1" : "0");
  if (tamper === "version") headers["x-slack-signature"] = signature.replace("v0=", "v1=");
  if (tamper === "timestamp") headers["x-slack-request-timestamp"] = String(timestamp + 1);
  if (tamper === "missing") delete headers["x-slack-signature"];
  const { status, body: answered } = await post(url, headers, body);
  return { status, body: answered, event_id: payload.event_id };
}

export const deliverAll = (jobs, concurrency) => all(jobs, concurrency, deliver);
