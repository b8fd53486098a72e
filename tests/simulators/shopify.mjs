// A Shopify for tests: the webhook part of the GraphQL Admin API, run on Shopify's own schema, OAuth2
// with tokens that expire, and deliveries signed by Shopify's own library. It is every shop:
// /shops/<domain>/… stands for https://<domain>/….
//
//   node shopify.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";
import { buildSchema, GraphQLError, graphql } from "graphql";
import { answer, parse, post, provide } from "./provider.mjs";

const schema = buildSchema(readFileSync(new URL("shopify-admin.graphql", import.meta.url), "utf8"));

export const APP = { client_id: "client-1", client_secret: "shpss_client-secret-1" };
// Tokens of apps made in a shop itself; the second lacks the scopes for orders and customers.
const VALID = "shpat_valid";
const WITHOUT_RIGHTS = "shpat_norights";
const SCOPES = "read_orders,read_products,read_customers,read_inventory,read_fulfillments";
const VERSIONS = ["2026-01", "2026-04", "2026-07", "2026-10"];
// Topics that are set up for an app, not by it.
const PRIVACY = ["CUSTOMERS_DATA_REQUEST", "CUSTOMERS_REDACT", "SHOP_REDACT"];

const fresh = () => ({
  subscriptions: new Map(), next: 1_234_567_890_123, codes: new Map(), access: new Map(), refresh: new Map(),
  violations: [],
});
let state = fresh();

/** `ORDERS_UPDATED` as header fields write it; the last word parts what happened from what. */
export const headerTopic = (topic) => topic.toLowerCase().replace(/_([a-z]+)$/, "/$1");

// --- Shopify's side ------------------------------------------------------------------------

async function serve(call, response) {
  const [, shop, path] = /^\/shops\/([^/]+)(\/.*)$/.exec(call.path) ?? [];
  if (!/^[a-z0-9][a-z0-9-]*\.myshopify\.com$/.test(shop ?? "") || shop.startsWith("no-such")) {
    return answer(response, 404, { errors: "Not Found" });
  }
  if (path === "/admin/oauth/access_token" && call.method === "POST") return token(shop, call, response);
  const version = /^\/admin\/api\/([^/]+)\/graphql\.json$/.exec(path)?.[1];
  const violations = [];
  if (!version || call.method !== "POST") violations.push(`no such operation: ${call.method} ${path}`);
  else if (!VERSIONS.includes(version)) violations.push(`the version ${version} is not supported`);
  if (call.headers["content-type"] !== "application/json") violations.push(`the content type is ${call.headers["content-type"]}`);
  const asked = parse(call.body);
  if (typeof asked?.query !== "string") violations.push("the body has no query");
  if (violations.length) {
    state.violations.push({ path: call.path, violations });
    return answer(response, 404, { errors: "Not Found" });
  }
  const given = call.headers["x-shopify-access-token"];
  const owner = state.access.get(given);
  const known = [VALID, WITHOUT_RIGHTS].includes(given) || (owner?.shop === shop && owner.until > Date.now());
  if (!known) return answer(response, 401, { errors: "[API] Invalid API key or access token (unrecognized login or wrong password)" });
  return run(shop, given, version, asked, response);
}

async function run(shop, given, version, asked, response) {
  const context = { shop, version, limited: given === WITHOUT_RIGHTS };
  const result = await graphql({ schema, source: asked.query, variableValues: asked.variables, rootValue: root, contextValue: context });
  for (const error of result.errors ?? []) {
    // What the schema does not know is a mistake of whoever asks.
    if (!error.originalError && !error.extensions.code) state.violations.push({ violations: [error.message] });
  }
  const cost = { requestedQueryCost: 10, actualQueryCost: 10, throttleStatus: { maximumAvailable: 2000, currentlyAvailable: 1990, restoreRate: 100 } };
  return answer(response, 200, { ...result, extensions: { cost } });
}

const root = {
  shop: (_, { shop }) => ({ id: "gid://shopify/Shop/548380009", name: shop.split(".")[0], myshopifyDomain: shop }),
  webhookSubscription: ({ id }, { shop, version }) => shown(owned(id, shop), version),
  webhookSubscriptions: ({ first = 50, after, topics, uri }, { shop, version }) => {
    const all = [...state.subscriptions.values()].filter(
      (one) => one.shop === shop && (!topics?.length || topics.includes(one.topic)) && (!uri || one.uri === uri),
    );
    const start = after ? Number(Buffer.from(after, "base64url").toString()) : 0;
    const nodes = all.slice(start, start + first).map((one) => shown(one, version));
    const hasNextPage = all.length > start + first;
    const endCursor = nodes.length ? Buffer.from(String(start + first)).toString("base64url") : null;
    return { nodes, edges: nodes.map((node) => ({ node, cursor: "" })), pageInfo: { hasNextPage, hasPreviousPage: start > 0, endCursor } };
  },
  webhookSubscriptionCreate: create,
  webhookSubscriptionDelete: ({ id }, { shop }) => {
    if (!owned(id, shop)) return { deletedWebhookSubscriptionId: null, userErrors: [{ field: ["id"], message: "Webhook subscription does not exist" }] };
    state.subscriptions.delete(id);
    return { deletedWebhookSubscriptionId: id, userErrors: [] };
  },
};

function create({ topic, webhookSubscription: wanted }, { shop, version, limited }) {
  const scope = /^(ORDERS|CUSTOMERS)_/.exec(topic)?.[1].toLowerCase();
  if (limited && scope) {
    const message = `Access denied for webhookSubscriptionCreate field. Required access: \`read_${scope}\` access scope.`;
    throw new GraphQLError(message, { extensions: { code: "ACCESS_DENIED", documentation: "https://shopify.dev/api/usage/access-scopes" } });
  }
  const refuse = (message, ...field) => ({ webhookSubscription: null, userErrors: [{ field, message }] });
  if (wanted.callbackUrl) state.violations.push({ violations: ["callbackUrl is deprecated: use uri"] });
  if (PRIVACY.includes(topic)) return refuse("Topic is invalid", "topic");
  if (!wanted.uri) return refuse("Address can't be blank", "webhookSubscription", "uri");
  if (!/^(https?:\/\/|pubsub:\/\/|arn:aws:events:)/.test(wanted.uri)) return refuse("Address is invalid", "webhookSubscription", "uri");
  const twin = [...state.subscriptions.values()].find((one) => one.shop === shop && one.topic === topic && one.uri === wanted.uri);
  if (twin) return refuse("Address for this topic has already been taken", "webhookSubscription", "uri");
  if (wanted.filter && /[()]/.test(wanted.filter)) return refuse("Filter is invalid", "webhookSubscription", "filter");
  const now = new Date().toISOString();
  const subscription = { id: `gid://shopify/WebhookSubscription/${state.next++}`, shop, topic, uri: wanted.uri, filter: wanted.filter ?? null, format: wanted.format ?? "JSON", includeFields: wanted.includeFields ?? [], createdAt: now, updatedAt: now };
  state.subscriptions.set(subscription.id, subscription);
  return { webhookSubscription: shown(subscription, version), userErrors: [] };
}

const owned = (id, shop) => [state.subscriptions.get(id)].find((one) => one?.shop === shop);

const shown = (one, handle) => (one ? { ...one, apiVersion: { handle, displayName: handle, supported: true } } : null);

function token(shop, call, response) {
  const form = call.form ?? parse(call.body);
  const refuse = (error, error_description) => answer(response, 400, { error, error_description });
  if (form.client_id !== APP.client_id || form.client_secret !== APP.client_secret) return refuse("application_cannot_be_found", "The application could not be found");
  if (form.grant_type === "refresh_token") {
    if (state.refresh.get(form.refresh_token) !== shop) return refuse("invalid_grant", "The refresh token is invalid or has expired");
    state.refresh.delete(form.refresh_token);
  } else {
    const grant = state.codes.get(form.code);
    state.codes.delete(form.code);
    if (grant?.shop !== shop) return refuse("invalid_request", "The authorization code was not found or was already used");
    if (form.expiring !== "1") state.violations.push({ violations: ["a token that never expires was asked for"] });
  }
  const issued = { access_token: `shpat_${randomUUID()}`, scope: SCOPES, expires_in: 3600, refresh_token: `shprt_${randomUUID()}`, refresh_token_expires_in: 7_776_000 };
  state.access.set(issued.access_token, { shop, until: Date.now() + 3_600_000 });
  state.refresh.set(issued.refresh_token, shop);
  return answer(response, 200, issued);
}

/** What the browser of a merchant who consents is sent back with. */
async function authorize({ url }) {
  const asked = new URL(url);
  // The shops are at this address, each under its domain.
  const [, shop, path] = /^\/shops\/([^/]+)(\/.*)$/.exec(asked.pathname) ?? [null, asked.hostname, asked.pathname];
  const of = (name) => asked.searchParams.get(name);
  const wrong = [];
  if (path !== "/admin/oauth/authorize") wrong.push(`authorised at ${asked.origin}${asked.pathname}`);
  if (of("client_id") !== APP.client_id) wrong.push("another client_id");
  if (!of("scope")?.split(",").includes("read_orders")) wrong.push(`scope ${of("scope")}`);
  if (!of("redirect_uri")) wrong.push("no redirect_uri");
  if (wrong.length) state.violations.push({ violations: wrong });
  const code = randomUUID();
  state.codes.set(code, { shop });
  const query = new URLSearchParams({ code, host: Buffer.from(`${shop}/admin`).toString("base64url"), shop, state: of("state"), timestamp: String(Math.floor(Date.now() / 1000)) });
  query.append("hmac", await createSHA256HMAC(APP.client_secret, query.toString(), "hex"));
  return { redirect: `${of("redirect_uri")}?${query}`, scopes: of("scope").split(",") };
}

// --- Deliveries ----------------------------------------------------------------------------

/**
 * Sends `body`, a text so that no digit of it is lost, to the subscription `id`, or to `url`.
 * `tamper` forges it in one of the ways a receiver must notice.
 */
async function deliver({ id, url, topic, body, shop, secret = APP.client_secret, webhook_id = randomUUID(), event_id = randomUUID(), test = false, tamper }) {
  const subscription = state.subscriptions.get(id);
  if (id && !subscription) return { status: 0, body: "there is no such subscription" };
  let sent = body;
  const headers = {
    "content-type": "application/json",
    "user-agent": "Shopify-Captain-Hook",
    "x-shopify-topic": headerTopic(topic ?? subscription.topic),
    "x-shopify-hmac-sha256": await createSHA256HMAC(tamper === "wrong_secret" ? `${secret}x` : secret, body),
    "x-shopify-shop-domain": shop ?? subscription.shop,
    "x-shopify-api-version": "2026-10",
    "x-shopify-webhook-id": webhook_id,
    "x-shopify-event-id": event_id,
    "x-shopify-triggered-at": new Date().toISOString(),
    ...(test ? { "x-shopify-test": "true" } : {}),
  };
  if (tamper === "body") sent = body.replace("{", "{ ");
  if (tamper === "hex") headers["x-shopify-hmac-sha256"] = await createSHA256HMAC(secret, body, "hex");
  if (tamper === "missing") delete headers["x-shopify-hmac-sha256"];
  return { ...(await post(url ?? subscription.uri, headers, sent)), webhook_id, event_id };
}

// --- The tests' side -----------------------------------------------------------------------

/** Hands in the shop: a subscription that failed too often, an app that was uninstalled. */
function set({ remove, expire, uninstall }) {
  if (remove) state.subscriptions.delete(remove);
  for (const grant of state.access.values()) if (grant.shop === expire) grant.until = 0;
  for (const [key, grant] of state.access) if (grant.shop === uninstall) state.access.delete(key);
  for (const [key, shop] of state.refresh) if (shop === uninstall) state.refresh.delete(key);
}

const actions = {
  state: () => ({ app: APP, subscriptions: [...state.subscriptions.values()], violations: state.violations }),
  reset: () => void (state = fresh()),
  set,
  authorize,
  deliver,
};

if (process.argv[1] === new URL(import.meta.url).pathname) {
  provide({ serve, actions, refuse: (status) => ({ errors: `answered ${status}` }) });
}
