// A HubSpot for tests: webhook settings and subscriptions of an app, OAuth2, whose a token is; and
// batches of events, signed by HubSpot's own library. Requests and its own answers are checked
// against hubspot.schema.json.
//
//   node hubspot.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { answer as send, bearer, parse, post, provide } from "./provider.mjs";

const { Signature } = createRequire(import.meta.url)("@hubspot/api-client/lib/src/utils/signature.js");
const description = JSON.parse(readFileSync(new URL("hubspot.schema.json", import.meta.url)));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
for (const [name, schema] of Object.entries(description.schemas)) ajv.addSchema(schema, name);

export const APP = { id: 16111050, client_id: "client-1", client_secret: "client-secret-1", key: "hapikey_valid" };
const WITHOUT_RIGHTS = "hapikey_norights";
const TOKEN_SECONDS = 1800;
const LIMIT = 1000;

const fresh = () => ({
  settings: undefined, subscriptions: new Map(), next: 3_923_621, event: 531_833_541,
  codes: new Map(), access: new Map(), refresh: new Map(), expired: new Set(),
  violations: [],
});
let state = fresh();

const operations = description.operations.flatMap((operation) =>
  (operation.path.startsWith("{webhooks}") ? Object.entries(description.webhooks) : [[undefined, ""]]).map(([version, root]) => {
    const path = operation.path.replace("{webhooks}", root);
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    return { ...operation, version, names, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "([^/]+)")}$`) };
  }),
);

/** The operation a request means, its parameters and content, and everything that is wrong with it. */
export function examine({ method, path: asked, query, headers, body }) {
  const operation = operations.find((one) => one.method === method && one.pattern.test(asked));
  if (!operation) return { violations: [`no such operation: ${method} ${asked}`] };
  const values = operation.pattern.exec(asked).slice(1);
  const path = Object.fromEntries(operation.names.map((name, index) => [name, values[index]]));
  const violations = operation.names
    .filter((name) => !new RegExp(description.parameters[name]).test(path[name]))
    .map((name) => `the path parameter ${name} is ${path[name]}`);
  for (const name of query.keys()) {
    if (name !== "hapikey" || !operation.version) violations.push(`unknown query parameter ${name}`);
  }
  let content;
  if (operation.body || operation.form) {
    const expected = operation.body ? "application/json" : "application/x-www-form-urlencoded";
    if (headers["content-type"]?.split(";")[0] !== expected) violations.push(`the content type is ${headers["content-type"]}`);
    content = operation.body ? parse(body) : Object.fromEntries(new URLSearchParams(body));
    violations.push(...against(operation.body ?? operation.form, content));
  } else if (body.length > 0) {
    violations.push("this operation takes no body");
  }
  return { operation, path, content, violations };
}

function against(name, value) {
  const validate = ajv.getSchema(name);
  return validate(value) ? [] : validate.errors.map((error) => `${name}${error.instancePath} ${error.message}`);
}

// --- HubSpot's side ------------------------------------------------------------------------

function serve(call, response) {
  const { operation, path, content, violations } = examine(call);
  if (violations.length) {
    state.violations.push({ method: call.method, path: call.path, violations });
    return refuse(response, 400, "VALIDATION_ERROR", violations.join("; "));
  }
  if (operation.id === "oauth.token") return token(content, response);
  if (operation.id === "account.details") return details(bearer(call), response);
  const key = call.query.get("hapikey") ?? bearer(call);
  if (key === WITHOUT_RIGHTS) return refuse(response, 403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.");
  if (key !== APP.key) return refuse(response, 401, "INVALID_AUTHENTICATION", "Authentication credentials not found or invalid.");
  if (Number(path.appId) !== APP.id) return refuse(response, 404, "OBJECT_NOT_FOUND", "resource not found");
  return manage(operation, path, content, response);
}

function manage(operation, path, content, response) {
  const [resource, action] = operation.id.split(".");
  if (resource === "settings") return settings(action, content, response);
  const known = state.subscriptions.get(path.subscriptionId);
  if (path.subscriptionId && !known) return refuse(response, 404, "OBJECT_NOT_FOUND", "resource not found");
  switch (action) {
    case "list":
      return answer(response, 200, { results: [...state.subscriptions.values()] }, operation.answer);
    case "create":
      return subscribe(content, response);
    case "patch":
      Object.assign(known, content, { updatedAt: new Date().toISOString() });
      return answer(response, 200, known, operation.answer);
    case "delete":
      state.subscriptions.delete(known.id);
      return answer(response, 204);
    default:
      return answer(response, 200, known, operation.answer);
  }
}

function settings(action, content, response) {
  const now = new Date().toISOString();
  if (action === "put") state.settings = { createdAt: state.settings?.createdAt ?? now, updatedAt: now, ...content };
  if (action === "delete") {
    state.settings = undefined;
    return answer(response, 204);
  }
  if (!state.settings) return refuse(response, 404, "OBJECT_NOT_FOUND", "resource not found");
  return answer(response, 200, state.settings, "settings");
}

function subscribe(wanted, response) {
  if (wanted.eventType.endsWith(".propertyChange") !== Boolean(wanted.propertyName)) {
    return refuse(response, 400, "VALIDATION_ERROR", "propertyName belongs to property changes, and to them only");
  }
  if (state.subscriptions.size >= LIMIT) {
    return refuse(response, 400, "VALIDATION_ERROR", `Couldn't create another subscription. You've reached the maximum number (${LIMIT}).`);
  }
  const twin = [...state.subscriptions.values()].find((one) => one.eventType === wanted.eventType && one.propertyName === wanted.propertyName);
  if (twin) state.violations.push({ violations: [`a second subscription to ${wanted.eventType} ${wanted.propertyName ?? ""}`] });
  const subscription = { id: String(state.next++), ...wanted, createdAt: new Date().toISOString() };
  state.subscriptions.set(subscription.id, subscription);
  return answer(response, 201, subscription, "subscription");
}

/** A private app's token is pat-<portal>; others come out of the OAuth2 flow. */
function details(given, response) {
  if (state.expired.has(given)) return refuse(response, 401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.");
  const portalId = state.access.get(given) ?? Number(/^pat-(\d+)$/.exec(given ?? "")?.[1]);
  if (!portalId) return refuse(response, 401, "INVALID_AUTHENTICATION", "Authentication credentials not found or invalid.");
  return answer(response, 200, {
    portalId, portalName: `Portal ${portalId}`, accountType: "STANDARD", timeZone: "US/Eastern", companyCurrency: "USD",
    additionalCurrencies: [], utcOffset: "-05:00", utcOffsetMilliseconds: -18_000_000, uiDomain: "app.hubspot.com", dataHostingLocation: "na1",
  }, "account");
}

function token(form, response) {
  const flawed = (message) => refuse(response, 400, "BAD_REQUEST", message, { status: "BAD_REFRESH_TOKEN", error: "invalid_grant", error_description: message });
  if (form.client_id !== APP.client_id || form.client_secret !== APP.client_secret) return refuse(response, 401, "INVALID_AUTHENTICATION", "missing or invalid client id or secret", { error: "invalid_client" });
  let portal;
  if (form.grant_type === "authorization_code") {
    const grant = state.codes.get(form.code);
    state.codes.delete(form.code);
    if (!grant || grant.redirect_uri !== form.redirect_uri) return flawed("missing or unknown auth code");
    if (grant.challenge && grant.challenge !== createHash("sha256").update(form.code_verifier ?? "").digest("base64url")) return flawed("the code verifier does not fit");
    portal = grant.portal;
  } else {
    portal = state.refresh.get(form.refresh_token);
    if (!portal) return flawed("missing or invalid refresh token");
  }
  const issued = { access_token: `access-${randomUUID()}`, refresh_token: form.refresh_token ?? `refresh-${randomUUID()}` };
  state.access.set(issued.access_token, portal);
  state.refresh.set(issued.refresh_token, portal);
  return answer(response, 200, { ...issued, expires_in: TOKEN_SECONDS, token_type: "bearer", hub_id: portal }, "token");
}

/** What the browser of a user who consents is sent back with. */
function authorize({ url, portal }) {
  const asked = new URL(url);
  const of = (name) => asked.searchParams.get(name);
  const wrong = [];
  if (`${asked.origin}${asked.pathname}` !== "https://app.hubspot.com/oauth/authorize") wrong.push(`authorised at ${asked.origin}${asked.pathname}`);
  if (of("client_id") !== APP.client_id) wrong.push("another client_id");
  if (of("response_type") !== null && of("response_type") !== "code") wrong.push(`response_type ${of("response_type")}`);
  if (!of("scope")?.split(" ").includes("oauth")) wrong.push(`scope ${of("scope")}`);
  if (!of("redirect_uri")) wrong.push("no redirect_uri");
  if (wrong.length) state.violations.push({ violations: wrong });
  const code = randomUUID();
  state.codes.set(code, { portal, redirect_uri: of("redirect_uri"), challenge: of("code_challenge") });
  const back = new URL(of("redirect_uri"));
  back.searchParams.set("code", code);
  back.searchParams.set("state", of("state"));
  return { redirect: back.href, scopes: of("scope").split(" ") };
}

function refuse(response, status, category, message, more = {}) {
  answer(response, status, { status: "error", message, correlationId: randomUUID(), category, ...more }, "error");
}

function answer(response, status, body, schema) {
  if (schema) state.violations.push(...against(schema, body).map((wrong) => ({ violations: [`the simulator's own answer: ${wrong}`] })));
  return send(response, status, body);
}

// --- Deliveries ----------------------------------------------------------------------------

/** The events that changes give rise to: one for each active subscription that is about them. */
function eventsOf(changes) {
  return changes.flatMap(({ portal, object, change, property, value, objectId = 138_017_612_137, occurredAt = Date.now(), eventId = state.event++ }) =>
    [...state.subscriptions.values()]
      .filter((one) => one.active && one.eventType === `${object}.${change}` && one.propertyName === property)
      .map((one) => ({
        eventId, subscriptionId: Number(one.id), portalId: portal, appId: APP.id, occurredAt,
        subscriptionType: one.eventType, attemptNumber: 0, objectId,
        ...(property ? { propertyName: property, propertyValue: value } : { changeFlag: change === "deletion" ? "DELETED" : "CREATED" }),
        changeSource: "CRM_UI", sourceId: "userId:76023669",
      })),
  );
}

const flip = (text) => (text[0] === "A" ? "B" : "A") + text.slice(1);

/**
 * Sends one batch, signed by version 1 and 3 as HubSpot does. `only` leaves one version; `tamper`
 * forges it in one of the ways a receiver must notice.
 */
async function deliver({ url = state.settings?.targetUrl, secret = APP.client_secret, events, changes, only, age = 0, tamper }) {
  const list = events ?? eventsOf(changes);
  if (!list.length || !url) return { status: 0, events: [], body: "nothing to send" };
  let body = JSON.stringify(list);
  const timestamp = Date.now() - age;
  const options = { clientSecret: tamper === "wrong_secret" ? `${secret}x` : secret, url: tamper === "url" ? `${url}/` : url, requestBody: body, timestamp };
  const version = only === "v2" ? "v2" : "v1";
  const headers = {
    "content-type": "application/json",
    "user-agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-simulator)",
    "x-hubspot-signature-version": version,
    "x-hubspot-signature": Signature.getSignature("POST", version, options),
  };
  if (!only || only === "v3") {
    headers["x-hubspot-signature-v3"] = Signature.getSignature("POST", "v3", options);
    headers["x-hubspot-request-timestamp"] = String(timestamp);
  }
  if (only === "v3") for (const name of ["x-hubspot-signature", "x-hubspot-signature-version"]) delete headers[name];
  if (tamper === "body") body = body.replace("[", "[ ");
  if (tamper === "v3") headers["x-hubspot-signature-v3"] = flip(headers["x-hubspot-signature-v3"]);
  if (tamper === "timestamp") headers["x-hubspot-request-timestamp"] = String(timestamp + 1);
  if (tamper === "missing") for (const name of Object.keys(headers)) if (name.startsWith("x-hubspot")) delete headers[name];
  return { ...(await post(url, headers, body)), events: list };
}

// --- The tests' side -----------------------------------------------------------------------

/** A hand at HubSpot's own pages. */
function set({ settings, subscription, remove, revoke, expire }) {
  if (settings !== undefined) state.settings = settings ?? undefined;
  if (subscription) Object.assign(state.subscriptions.get(subscription.id), subscription);
  if (remove) state.subscriptions.delete(remove);
  for (const [token, portal] of state.refresh) if (portal === revoke) state.refresh.delete(token);
  for (const [token, portal] of state.access) if (portal === expire) state.expired.add(token);
}

const actions = {
  state: () => ({ app: APP, settings: state.settings ?? null, subscriptions: [...state.subscriptions.values()], violations: state.violations }),
  reset: () => void (state = fresh()),
  set,
  authorize,
  deliver,
};

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const refuse = (status) => ({ status: "error", message: `answered ${status}`, correlationId: randomUUID(), category: "FAULT" });
  provide({ serve, actions, refuse });
}
