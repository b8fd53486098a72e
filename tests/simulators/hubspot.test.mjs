// The HubSpot simulator itself: it notices what HubSpot's descriptions forbid, and its signer makes
// the published vectors.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { examine } from "./hubspot.mjs";

const { Signature } = createRequire(import.meta.url)("@hubspot/api-client/lib/src/utils/signature.js");
const ask = (method, path, content, type = "application/json") => {
  const url = new URL(path, "http://x");
  const body = content === undefined ? "" : typeof content === "string" ? content : JSON.stringify(content);
  return examine({ method, path: url.pathname, query: url.searchParams, headers: { "content-type": type }, body }).violations;
};
const API = "/app-webhooks/2026-09/16111050";

test("proper requests have no violations", () => {
  for (const api of [API, "/webhooks/2026-03/1", "/webhooks/v3/1"]) {
    assert.deepEqual(ask("GET", `${api}/settings?hapikey=x`), []);
    assert.deepEqual(ask("PUT", `${api}/settings`, { targetUrl: "https://example.com/x", throttling: { maxConcurrentRequests: 10 } }), []);
    assert.deepEqual(ask("POST", `${api}/subscriptions`, { eventType: "contact.propertyChange", propertyName: "email", active: true }), []);
    assert.deepEqual(ask("DELETE", `${api}/subscriptions/12`), []);
  }
  assert.deepEqual(ask("GET", "/account-info/2026-09/details"), []);
  const form = "grant_type=authorization_code&client_id=a&client_secret=b&code=c&redirect_uri=d";
  assert.deepEqual(ask("POST", "/oauth/2026-03/token", form, "application/x-www-form-urlencoded"), []);
});

test("what the descriptions forbid is noticed", () => {
  assert.notDeepEqual(ask("PUT", `${API}/settings`, { targetUrl: "https://example.com/x" }), []);
  assert.notDeepEqual(ask("PUT", `${API}/settings`, { targetUrl: "https://example.com/x", throttling: { maxConcurrentRequests: 5 } }), []);
  assert.notDeepEqual(ask("POST", `${API}/subscriptions`, { eventType: "contact.created", active: true }), []);
  assert.notDeepEqual(ask("POST", `${API}/subscriptions`, { eventType: "contact.creation" }), []);
  assert.notDeepEqual(ask("DELETE", `${API}/subscriptions/x`), []);
  assert.notDeepEqual(ask("GET", "/webhooks/v2/1/settings"), []);
  assert.notDeepEqual(ask("GET", "/account-info/2026-09/details?hapikey=x"), []);
  assert.notDeepEqual(ask("POST", "/oauth/2026-03/token", { grant_type: "refresh_token" }), []);
});

test("the published vectors are what the library signs", () => {
  const clientSecret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
  const url = "https://www.example.com/webhook_uri";
  assert.equal(
    Signature.getSignature("POST", "v2", { clientSecret, url, requestBody: '{"example_field":"example_value"}' }),
    "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
  );
  assert.equal(
    Signature.getSignature("POST", "v3", { clientSecret, url, requestBody: "{'example_field':'example_value'}", timestamp: 1693657560000 }),
    "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=",
  );
});
