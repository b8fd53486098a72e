// The Shopify simulator itself: it runs on Shopify's schema, and its signer makes a vector that
// others published.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";
import { headerTopic } from "./shopify.mjs";

const CREATE = "mutation C($topic: WebhookSubscriptionTopic!, $w: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: $topic, webhookSubscription: $w) { webhookSubscription { id topic uri } userErrors { field message } } }";
let child, base;

before(async () => {
  child = spawn("node", [new URL("shopify.mjs", import.meta.url).pathname]);
  base = await new Promise((resolve) => child.stdout.once("data", (line) => resolve(`http://127.0.0.1:${JSON.parse(line).port}`)));
});
after(() => child.kill());

async function ask(query, variables, token = "shpat_valid") {
  const answer = await fetch(`${base}/shops/a.myshopify.com/admin/api/2026-10/graphql.json`, {
    method: "POST", headers: { "content-type": "application/json", "x-shopify-access-token": token }, body: JSON.stringify({ query, variables }),
  });
  return { status: answer.status, ...(await answer.json()) };
}

test("a subscription is made once, and a second one is objected to", async () => {
  const variables = { topic: "ORDERS_UPDATED", w: { uri: "https://example.com/x", format: "JSON" } };
  const made = await ask(CREATE, variables);
  assert.deepEqual(made.data.webhookSubscriptionCreate.userErrors, []);
  const twin = await ask(CREATE, variables);
  assert.equal(twin.data.webhookSubscriptionCreate.userErrors[0].message, "Address for this topic has already been taken");
});

test("what the schema does not know is an error", async () => {
  for (const w of [{ address: "https://example.com" }, { uri: 7 }]) assert.ok((await ask(CREATE, { topic: "ORDERS_CREATE", w })).errors);
  for (const topic of ["orders/create", "ORDERS_UPDATE", "PRODUCTS_UPDATED"]) {
    assert.ok((await ask(CREATE, { topic, w: { uri: "https://example.com" } })).errors, topic);
  }
  assert.equal((await ask("{ shop { name } }", {}, "shpat_wrong")).status, 401);
  assert.equal((await ask("{ shop { myshopifyDomain } }")).data.shop.myshopifyDomain, "a.myshopify.com");
});

test("topics in header fields", () => {
  const pairs = { ORDERS_UPDATED: "orders/updated", PRODUCTS_UPDATE: "products/update", INVENTORY_ITEMS_UPDATE: "inventory_items/update" };
  for (const [topic, header] of Object.entries(pairs)) assert.equal(headerTopic(topic), header);
});

test("a published vector is what the library signs", async () => {
  const body = '{"id":1234567890,"email":"customer@example.com","total_price":"123.45"}';
  assert.equal(await createSHA256HMAC("test-webhook-secret", body), "QNyObTlKbMx2qDlPF/ZOZcBqg5OgPg+2oky3zldc0Gw=");
});
