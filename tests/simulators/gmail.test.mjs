// The Google simulator: it notices what Google's description forbids, and its history behaves.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { receiver, run } from "./running.mjs";

const EMAIL = "ada@example.com";
let google;
before(async () => (google = await run("gmail.mjs")));
after(() => google.stop());

async function link() {
  const consent = new URL(`${google.url}/o/oauth2/v2/auth`);
  consent.search = new URLSearchParams({
    client_id: "1234.apps.googleusercontent.com", response_type: "code", state: "s", redirect_uri: "https://example.com/back",
    scope: "https://www.googleapis.com/auth/gmail.readonly", access_type: "offline", prompt: "consent",
  });
  const sent = await fetch(consent, { redirect: "manual" });
  const code = new URL(sent.headers.get("location")).searchParams.get("code");
  return token({ grant_type: "authorization_code", code, redirect_uri: "https://example.com/back" });
}

async function token(form) {
  const body = new URLSearchParams({ client_id: "1234.apps.googleusercontent.com", client_secret: "GOCSPX-secret", ...form });
  const answer = await fetch(`${google.url}/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: body.toString() });
  return answer.json();
}

async function ask(access_token, path, init = {}) {
  const headers = { authorization: `Bearer ${access_token}`, ...init.headers };
  const answer = await fetch(`${google.url}/gmail/v1/users/me/${path}`, { ...init, headers });
  return { status: answer.status, body: await answer.json().catch(() => undefined) };
}

test("tokens are issued, refreshed and revoked", async () => {
  const granted = await link();
  assert.equal((await ask(granted.access_token, "profile")).body.emailAddress, EMAIL);
  const refreshed = await token({ grant_type: "refresh_token", refresh_token: granted.refresh_token });
  assert.equal(refreshed.refresh_token, undefined);
  await google.control("revoke", { email: EMAIL });
  assert.equal((await ask(refreshed.access_token, "profile")).status, 401);
  assert.equal((await token({ grant_type: "refresh_token", refresh_token: granted.refresh_token })).error, "invalid_grant");
});

test("what the description forbids is noticed", async () => {
  const { access_token } = await link();
  const json = { "content-type": "application/json" };
  const wrong = [
    ["history?startHistoryId=abc"], ["history?startHistoryId=1&historyTypes=everything"], ["history?startHistoryId=1&colour=red"],
    ["watch", { method: "POST", headers: json, body: JSON.stringify({ topic: "x" }) }],
    ["watch", { method: "POST", headers: json, body: JSON.stringify({ topicName: 1 }) }],
    ["stop", { method: "POST", headers: json, body: "{}" }], ["letters"],
  ];
  for (const [path, init] of wrong) assert.equal((await ask(access_token, path, init)).status, 400, path);
  assert.equal((await google.control("state")).violations.length, wrong.length);
});

test("a watch publishes, pages lead on, and the past is forgotten", async () => {
  const heard = await receiver();
  const service_account = "gmail-push@my-project.iam.gserviceaccount.com";
  await google.control("subscription", { endpoint: heard.url, service_account });
  const { access_token } = await link();
  const body = JSON.stringify({ topicName: "projects/my-project/topics/gmail" });
  const { historyId } = (await ask(access_token, "watch", { method: "POST", headers: { "content-type": "application/json" }, body })).body;
  const { ids, pushes } = await google.control("change", { email: EMAIL, add: { count: 3 } });
  assert.deepEqual(pushes.map(({ status }) => status), [200]);
  const { headers, body: notice } = heard.received.at(-1);
  const keys = createRemoteJWKSet(new URL(`${google.url}/oauth2/v3/certs`));
  const { payload } = await jwtVerify(headers.authorization.slice(7), keys, { audience: heard.url, issuer: "https://accounts.google.com" });
  assert.equal(payload.email, service_account);
  assert.equal(JSON.parse(atob(JSON.parse(notice).message.data)).emailAddress, EMAIL);
  await google.control("empty_pages", { email: EMAIL, count: 2 });
  await google.control("change", { email: EMAIL, remove: ids[0] });
  const found = [];
  let page = "";
  for (let turned = 0; turned < 10; turned += 1) {
    const answer = (await ask(access_token, `history?startHistoryId=${historyId}&historyTypes=messageAdded&maxResults=2${page}`)).body;
    found.push(...(answer.history ?? []).flatMap(({ messagesAdded }) => messagesAdded.map(({ message }) => message)));
    if (!answer.nextPageToken) break;
    page = `&pageToken=${answer.nextPageToken}`;
  }
  assert.deepEqual(found.map(({ id }) => id), ids);
  assert.equal(found[0].labelIds, undefined, "nobody knows the labels of a message that is gone");
  await google.control("forget", { email: EMAIL });
  assert.equal((await ask(access_token, `history?startHistoryId=${historyId}`)).status, 404);
  heard.stop();
});
