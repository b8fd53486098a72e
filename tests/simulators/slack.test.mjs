// The Slack simulator, asked by Slack's own client and heard by Slack's own verifier.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createRequire } from "node:module";
import { receiver, run } from "./running.mjs";
import { sign } from "./slack-deliveries.mjs";
import { problems } from "./slack-manifest.mjs";

const require = createRequire(import.meta.url);
const { WebClient } = createRequire(require.resolve("@slack/bolt"))("@slack/web-api");
const { isValidSlackRequest } = require(require.resolve("@slack/bolt").replace(/index\.js$/, "receivers/verify-request.js"));

let slack;
before(async () => (slack = await run("slack.mjs")));
after(() => slack.stop());
const web = (token) => new WebClient(token, { slackApiUrl: `${slack.url}/api/`, retryConfig: { retries: 0 } });

test("Slack's client links a workspace and asks whose token it has", async () => {
  const consent = new URL(`${slack.url}/oauth/v2/authorize`);
  const { app } = await slack.control("state");
  consent.search = new URLSearchParams({ client_id: app.client_id, scope: "channels:history,chat:write", state: "s", redirect_uri: "https://example.com/back" });
  const sent = await fetch(consent, { redirect: "manual" });
  const code = new URL(sent.headers.get("location")).searchParams.get("code");
  const exchange = { client_id: app.client_id, client_secret: app.client_secret, code, redirect_uri: "https://example.com/back" };
  const granted = await web().oauth.v2.access(exchange);
  assert.equal(granted.team.id, "T024BE7LD");
  const who = await web(granted.access_token).auth.test();
  assert.equal(who.team_id, "T024BE7LD");
  assert.deepEqual(who.response_metadata.scopes, ["channels:history", "chat:write"]);
  await assert.rejects(web().oauth.v2.access(exchange), /invalid_code/);
  await assert.rejects(web("xoxb-wrong").auth.test(), /invalid_auth/);
  assert.deepEqual((await slack.control("state")).violations, []);
});

test("Slack's client changes the manifest, and is told what is wrong with it", async () => {
  const app_id = "A012ABCD0A0";
  const config = web("xoxe.xoxp-1-valid");
  const { manifest } = await config.apps.manifest.export({ app_id });
  manifest.settings.event_subscriptions = { bot_events: ["channel_created"] };
  await assert.rejects(config.apps.manifest.validate({ app_id, manifest }), /invalid_manifest/);
  manifest.settings.event_subscriptions.request_url = "https://example.com/in";
  assert.ok((await config.apps.manifest.update({ app_id, manifest })).ok);
  const wrong = JSON.stringify({ ...manifest, settings: { event_subscriptions: { request_url: "https://x.example", bot_events: ["channel_made"] } } });
  assert.deepEqual(problems(wrong).map(({ pointer }) => pointer), ["/settings/event_subscriptions/bot_events/0"]);
  await assert.rejects(web("xoxe.xoxp-1-expired").apps.manifest.export({ app_id }), /token_expired/);
});

test("events are signed as Slack's verifier wants them", async () => {
  const heard = await receiver(({ body }) => ({ status: 200, body: JSON.parse(body).challenge ?? "" }));
  const { app } = await slack.control("state");
  const event = { type: "channel_created", channel: { id: "C1" } };
  assert.deepEqual(await slack.control("verify", { url: heard.url }), { status: 200, verified: true });
  await slack.control("deliver", { url: heard.url, event, anyway: true });
  await slack.control("deliver", { url: heard.url, event, anyway: true, tamper: "body" });
  const valid = heard.received.map(({ headers, body }) => isValidSlackRequest({ signingSecret: app.signing_secret, headers, body }));
  assert.deepEqual(valid, [true, true, false]);
  heard.stop();
});

test("the published vector is what we sign", () => {
  const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  assert.equal(sign("8f742231b10e8888abcd99yyyzzz85a5", 1531420618, body), "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
});
