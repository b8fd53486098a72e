// A Google for tests, as far as Gmail's notices need one: consent and tokens, mailboxes with a
// history, watches that end, and Pub/Sub push requests with signed tokens.
//
//   node gmail.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import { createHash, randomBytes } from "node:crypto";
import { examine } from "./gmail-discovery.mjs";
import { Mailbox } from "./gmail-mailbox.mjs";
import { jwks, push } from "./google-push.mjs";
import { answer, bearer, client, provide, redirect } from "./provider.mjs";

const CLIENT = { id: "1234.apps.googleusercontent.com", secret: "GOCSPX-secret" };
const PROJECT = "my-project";
const fresh = () => ({
  mailboxes: new Map(["ada@example.com", "grace@example.com"].map((email) => [email, new Mailbox(email)])),
  codes: new Map(), access: new Map(), refresh: new Map(),
  consent: { email: "ada@example.com" }, token_seconds: 3599, watch_seconds: 7 * 86_400,
  subscription: undefined, pushes: [], violations: [], keys: 0, keys_max_age: 19_800, refreshes: 0,
});
let state = fresh();

provide({ serve, refuse: (status) => failure(status, "The service is currently unavailable.", "backendError", "UNAVAILABLE"), actions: {
  state: () => ({
    mailboxes: [...state.mailboxes.values()].map((one) => one.shown()), subscription: state.subscription,
    pushes: state.pushes, violations: state.violations, keys: state.keys, refreshes: state.refreshes,
  }),
  reset: () => void (state = fresh()),
  // Who consents next (`email`), that it is denied (`deny`), or without the right to read mail (`scopes`).
  consent: (body) => void (state.consent = body),
  // `token_seconds`, `watch_seconds`, `keys_max_age`: how long things live.
  lifetimes: (body) => void Object.assign(state, body),
  // The push subscription of the topic: `{ endpoint, audience?, service_account }`.
  subscription: (body) => void (state.subscription = body),
  // What happens in a mailbox: `{ email, add | label | remove, silent? }`; tells the pushes it made.
  change: changed,
  // Only the notice, perhaps a forged one: `{ email, history_id?, tamper?, text_id?, count?, … }`.
  push: (body) => notify(body.email, body),
  // Gmail forgets its history up to now.
  forget: ({ email }) => void mailbox(email).forget(),
  // Pages of history without any, before the first that has some.
  empty_pages: ({ email, count }) => void (mailbox(email).empty = count),
  // The user takes the access back.
  revoke: ({ email }) => revoke(email),
  // Access tokens end now; refresh tokens stay.
  expire_tokens: () => void state.access.clear(),
} });

function mailbox(email) {
  if (!state.mailboxes.has(email)) state.mailboxes.set(email, new Mailbox(email));
  return state.mailboxes.get(email);
}

// --- Google's side -------------------------------------------------------------------------

async function serve(call, response) {
  if (call.method === "GET" && call.path === "/o/oauth2/v2/auth") return authorize(call, response);
  if (call.method === "POST" && call.path === "/token") return token(call, response);
  if (call.method === "GET" && call.path === "/oauth2/v3/certs") {
    state.keys += 1;
    return answer(response, 200, await jwks(), { "cache-control": `public, max-age=${state.keys_max_age}, must-revalidate, no-transform` });
  }
  return gmail(call, response);
}

function gmail(call, response) {
  const granted = state.access.get(bearer(call));
  if (!granted || granted.expires_at <= Date.now()) {
    return refuse(response, 401, "Request had invalid authentication credentials.", "authError", "UNAUTHENTICATED");
  }
  const { method, path, violations } = examine(call);
  if (violations.length) {
    state.violations.push({ method: call.method, path: call.url.pathname + call.url.search, violations });
    return refuse(response, 400, `the simulator found violations: ${violations}`, "badRequest", "INVALID_ARGUMENT");
  }
  if (!granted.scopes.some((scope) => method.scopes.includes(scope))) {
    return refuse(response, 403, "Request had insufficient authentication scopes.", "insufficientPermissions", "PERMISSION_DENIED");
  }
  if (path.userId !== "me" && path.userId !== granted.email) {
    return refuse(response, 403, `Delegation denied for ${granted.email}`, "forbidden", "PERMISSION_DENIED");
  }
  return METHODS[method.id](mailbox(granted.email), call, response, path);
}

const METHODS = {
  "gmail.users.getProfile": (box, _, response) => answer(response, 200, box.profile()),
  "gmail.users.watch": watch,
  "gmail.users.stop": (box, _, response) => {
    box.stop();
    answer(response, 204);
  },
  "gmail.users.history.list": (box, call, response) => {
    const page = box.history(Number(call.query.get("startHistoryId")), {
      types: call.query.getAll("historyTypes"), label: call.query.get("labelId"),
      size: Number(call.query.get("maxResults") ?? 100), token: call.query.get("pageToken"),
    });
    if (page === "gone") return notFound(response);
    if (page === "token") return refuse(response, 400, "Invalid pageToken", "invalidArgument", "INVALID_ARGUMENT");
    return answer(response, 200, page);
  },
  "gmail.users.messages.list": (box, call, response) => {
    answer(response, 200, box.list(call.query.getAll("labelIds"), Number(call.query.get("maxResults") ?? 100), call.query.get("pageToken")));
  },
  "gmail.users.messages.get": (box, call, response, path) => {
    const message = box.message(path.id, call.query.get("format") ?? "full", call.query.getAll("metadataHeaders"));
    return message ? answer(response, 200, message) : notFound(response);
  },
};

/** A watch publishes one notice at once, as Gmail's do. */
function watch(box, call, response) {
  const { topicName } = JSON.parse(call.body);
  if (!topicName?.startsWith(`projects/${PROJECT}/topics/`)) {
    return refuse(response, 400, `Invalid topicName does not match projects/${PROJECT}/topics/*`, "invalidArgument", "INVALID_ARGUMENT");
  }
  if (topicName.endsWith("/forbidden")) {
    return refuse(response, 403, `Error sending test message to Cloud PubSub ${topicName} : User not authorized to perform this action.`, "forbidden", "PERMISSION_DENIED");
  }
  const expiration = Date.now() + state.watch_seconds * 1000;
  box.watch(topicName, expiration);
  answer(response, 200, { historyId: String(box.id), expiration: String(expiration) });
  return notify(box.email, {}).catch(() => {});
}

function failure(code, message, reason, status) {
  return { error: { code, message, errors: [{ message, domain: "global", reason }], status } };
}

function refuse(response, code, message, reason, status) {
  answer(response, code, failure(code, message, reason, status));
}

const notFound = (response) => refuse(response, 404, "Requested entity was not found.", "notFound", "NOT_FOUND");

/** The consent page, with the user's click already made. */
function authorize(call, response) {
  const wanted = Object.fromEntries(call.query);
  const known = ["client_id", "redirect_uri", "response_type", "scope", "state", "access_type", "prompt", "code_challenge", "code_challenge_method", "include_granted_scopes", "login_hint"];
  const violations = [
    wanted.client_id !== CLIENT.id && `client_id is ${wanted.client_id}`,
    wanted.response_type !== "code" && `response_type is ${wanted.response_type}`,
    !wanted.state && "state is missing",
    wanted.code_challenge && wanted.code_challenge_method !== "S256" && "code_challenge_method is not S256",
    ...Object.keys(wanted).filter((name) => !known.includes(name)).map((name) => `unknown parameter ${name}`),
  ].filter(Boolean);
  if (violations.length) state.violations.push({ method: "GET", path: call.path, violations });
  if (state.consent.deny) return redirect(response, wanted.redirect_uri, { error: "access_denied", state: wanted.state });
  const code = `4/${randomBytes(12).toString("base64url")}`;
  const offline = wanted.access_type === "offline" && wanted.prompt === "consent";
  state.codes.set(code, { ...wanted, email: state.consent.email, scopes: state.consent.scopes ?? wanted.scope.split(" "), offline });
  return redirect(response, wanted.redirect_uri, { code, state: wanted.state, scope: wanted.scope });
}

function token(call, response) {
  const { id, secret } = client(call);
  const wrong = (error, error_description, status = 400) => answer(response, status, { error, error_description });
  if (id !== CLIENT.id || secret !== CLIENT.secret) return wrong("invalid_client", "Unauthorized", 401);
  const form = call.form ?? {};
  if (form.grant_type === "refresh_token") {
    const granted = state.refresh.get(form.refresh_token);
    if (!granted) return wrong("invalid_grant", "Token has been expired or revoked.");
    state.refreshes += 1;
    return answer(response, 200, issue(granted));
  }
  if (form.grant_type !== "authorization_code") return wrong("unsupported_grant_type", `Invalid grant_type: ${form.grant_type}`);
  const found = state.codes.get(form.code);
  state.codes.delete(form.code);
  if (!found) return wrong("invalid_grant", "Malformed auth code.");
  if (found.redirect_uri !== form.redirect_uri) return wrong("redirect_uri_mismatch", "Bad Request");
  const challenge = createHash("sha256").update(form.code_verifier ?? "").digest("base64url");
  if (found.code_challenge && found.code_challenge !== challenge) return wrong("invalid_grant", "Invalid code verifier.");
  const granted = { email: found.email, scopes: found.scopes };
  const refresh_token = found.offline ? `1//${randomBytes(16).toString("base64url")}` : undefined;
  if (refresh_token) state.refresh.set(refresh_token, granted);
  return answer(response, 200, { ...issue(granted), refresh_token });
}

function issue({ email, scopes }) {
  const access_token = `ya29.${randomBytes(16).toString("base64url")}`;
  state.access.set(access_token, { email, scopes, expires_at: Date.now() + state.token_seconds * 1000 });
  return { access_token, expires_in: state.token_seconds, scope: scopes.join(" "), token_type: "Bearer" };
}

function revoke(email) {
  for (const tokens of [state.access, state.refresh]) {
    for (const [name, granted] of tokens) if (granted.email === email) tokens.delete(name);
  }
}

// --- The tests' side -----------------------------------------------------------------------

async function changed({ email, silent = false, forget = false, ...change }) {
  const box = mailbox(email);
  const made = box.change(change);
  // At once, so that nobody reads in between.
  if (forget) box.forget();
  const pushes = silent || !box.isWatched() ? [] : await notify(email, {});
  return { ...made, history_id: box.id, pushes };
}

async function notify(email, how) {
  const subscription = { ...state.subscription, ...how };
  if (!subscription.endpoint) return [];
  const answers = await push({ email, history_id: mailbox(email).id, ...subscription });
  state.pushes.push(...answers.map(({ status, message_id }) => ({ email, status, message_id })));
  return answers;
}

