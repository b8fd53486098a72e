// A Slack for tests: installs an app in workspaces, keeps its manifest, and sends signed events to
// the manifest's URL as the Events API does.
//
//   node slack.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import { randomBytes } from "node:crypto";
import { answer, bearer, client, provide, redirect } from "./provider.mjs";
import { deliver, deliverAll, envelope, examples } from "./slack-deliveries.mjs";
import { problems } from "./slack-manifest.mjs";

const APP = "A012ABCD0A0";
const TOKENS = { valid: "xoxe.xoxp-1-valid", expired: "xoxe.xoxp-1-expired", stranger: "xoxe.xoxp-1-stranger" };
const TEAMS = { T024BE7LD: "Subarachnoid Workspace", T0OTHERTEAM: "Another Workspace" };
const manifest = () => ({
  _metadata: { major_version: 2, minor_version: 1 },
  display_information: { name: "Hearken" },
  features: { bot_user: { display_name: "hearken", always_online: false } },
  oauth_config: { scopes: { bot: ["chat:write"] } },
  settings: { org_deploy_enabled: false, socket_mode_enabled: false, token_rotation_enabled: false },
});
const fresh = () => ({
  app: { id: APP, client_id: "2141029472.691202649728", client_secret: "e1b9e11dfcd19c1982d5de12921e17e8", signing_secret: "8f742231b10e8888abcd99yyyzzz85a5" },
  manifest: manifest(), installed: new Map(), codes: new Map(), refresh: new Map(),
  consent: { team: "T024BE7LD" }, rotation: 0, updates: 0, violations: [],
});
let state = fresh();

provide({ serve, refuse: (status) => ({ ok: false, error: status === 429 ? "ratelimited" : "internal_error" }), actions: {
  state: () => ({ ...state, installed: [...state.installed.values()], codes: undefined, refresh: undefined }),
  reset: () => void (state = fresh()),
  // Whose workspace the next consent is for, or that it is denied.
  consent: (body) => void (state.consent = body),
  // Bot tokens live this many seconds; 0 means for ever.
  rotation: ({ seconds }) => void (state.rotation = seconds),
  manifest: (body) => void (state.manifest = body),
  // The app's owner removes it from a workspace.
  uninstall: ({ team }) => void state.installed.delete(team),
  install: ({ team }) => shown(install(team, state.manifest.oauth_config.scopes.bot)),
  verify: ({ url }) => verify(url ?? state.manifest.settings.event_subscriptions?.request_url),
  examples: () => examples.map(({ event }) => ({ type: event.type, subtype: event.subtype })),
  deliver: deliveries,
} });

// --- Slack's side --------------------------------------------------------------------------

function serve(call, response) {
  if (call.method === "GET" && call.path === "/oauth/v2/authorize") return authorize(call, response);
  const method = /^\/api\/([a-z0-9.]+)$/i.exec(call.path)?.[1];
  const known = METHODS[method];
  if (!known) return refuse(response, "unknown_method");
  violated(call, [
    call.method !== "POST" && "the method is not POST",
    !call.headers["user-agent"] && "the header user-agent is missing",
    call.body && !call.form && `the content type is ${call.headers["content-type"]}`,
    ...Object.keys(call.form ?? {}).filter((name) => !known.takes.includes(name)).map((name) => `unknown argument ${name}`),
    ...known.needs.filter((name) => !call.form?.[name]).map((name) => `the argument ${name} is missing`),
  ]);
  return known.does(call, response);
}

function violated(call, violations) {
  const found = violations.filter(Boolean);
  if (found.length) state.violations.push({ method: call.method, path: call.path, violations: found });
}

function refuse(response, error, more = {}) {
  answer(response, 200, { ok: false, error, ...more });
}

const MANIFEST = { "apps.manifest.export": exported, "apps.manifest.validate": validated, "apps.manifest.update": updated };
const METHODS = {
  "auth.test": { takes: [], needs: [], does: authTest },
  "oauth.v2.access": {
    takes: ["client_id", "client_secret", "code", "redirect_uri", "grant_type", "refresh_token"], needs: [], does: access,
  },
  ...Object.fromEntries(Object.entries(MANIFEST).map(([name, does]) => [name, {
    takes: ["app_id", ...(does === exported ? [] : ["manifest"])],
    needs: ["app_id", ...(does === exported ? [] : ["manifest"])],
    does: (call, response) => configured(call, response) && does(call, response),
  }])),
};

function installation(token) {
  return [...state.installed.values()].find((one) => one.token === token);
}

function authTest(call, response) {
  const token = bearer(call);
  if (!token) return refuse(response, "not_authed");
  const found = installation(token);
  if (!found) return refuse(response, "invalid_auth");
  if (found.expires_at && found.expires_at <= Date.now()) return refuse(response, "token_expired");
  return answer(response, 200, {
    ok: true, url: "https://subarachnoid.slack.com/", team: TEAMS[found.team], user: "hearken", team_id: found.team,
    user_id: found.bot_user_id, bot_id: found.bot_id, is_enterprise_install: false,
  }, { "x-oauth-scopes": found.scopes.join(",") });
}

/** The consent page, with the user's click already made. */
function authorize(call, response) {
  const wanted = Object.fromEntries(call.query);
  violated(call, [
    wanted.client_id !== state.app.client_id && `client_id is ${wanted.client_id}`,
    !wanted.state && "state is missing",
    !wanted.redirect_uri && "redirect_uri is missing",
    wanted.scope?.includes(" ") && "scopes are separated by commas",
    ...Object.keys(wanted).filter((name) => !["client_id", "scope", "user_scope", "state", "redirect_uri", "team", "response_type"].includes(name)).map((name) => `unknown parameter ${name}`),
  ]);
  if (state.consent.deny) return redirect(response, wanted.redirect_uri, { error: "access_denied", state: wanted.state });
  const code = `${randomBytes(8).toString("hex")}.${randomBytes(8).toString("hex")}`;
  state.codes.set(code, { redirect_uri: wanted.redirect_uri, team: state.consent.team, scopes: wanted.scope.split(",") });
  return redirect(response, wanted.redirect_uri, { code, state: wanted.state });
}

function access(call, response) {
  const { id, secret } = client(call);
  if (id !== state.app.client_id) return refuse(response, "invalid_client_id");
  if (secret !== state.app.client_secret) return refuse(response, "bad_client_secret");
  const { grant_type = "authorization_code", code, redirect_uri, refresh_token } = call.form;
  if (grant_type === "refresh_token") {
    const team = state.refresh.get(refresh_token);
    state.refresh.delete(refresh_token);
    const found = state.installed.get(team);
    return found ? granted(response, install(team, found.scopes)) : refuse(response, "invalid_refresh_token");
  }
  const found = state.codes.get(code);
  if (!found) return refuse(response, "invalid_code");
  state.codes.delete(code);
  if (found.redirect_uri !== redirect_uri) return refuse(response, "bad_redirect_uri");
  return granted(response, install(found.team, found.scopes));
}

function install(team, scopes) {
  const expires_at = state.rotation ? Date.now() + state.rotation * 1000 : undefined;
  const token = `${state.rotation ? "xoxe." : ""}xoxb-${team}-${randomBytes(6).toString("hex")}`;
  const one = { team, token, scopes, bot_user_id: `U0BOT${team.slice(0, 4)}`, bot_id: `B0BOT${team.slice(0, 4)}`, expires_at };
  state.installed.set(team, one);
  return one;
}

function granted(response, one) {
  const rotating = {};
  if (one.expires_at) {
    rotating.refresh_token = `xoxe-1-${randomBytes(12).toString("hex")}`;
    rotating.expires_in = state.rotation;
    state.refresh.set(rotating.refresh_token, one.team);
  }
  answer(response, 200, {
    ok: true, access_token: one.token, token_type: "bot", scope: one.scopes.join(","), bot_user_id: one.bot_user_id,
    app_id: state.app.id, team: { id: one.team, name: TEAMS[one.team] }, enterprise: null,
    authed_user: { id: "U061F7AUR" }, is_enterprise_install: false, ...rotating,
  });
}

// Configuration tokens; https://docs.slack.dev/app-manifests/configuring-apps-with-app-manifests
function configured(call, response) {
  const token = bearer(call);
  if (token === TOKENS.expired) return refuse(response, "token_expired");
  if (token === TOKENS.stranger) return refuse(response, "no_permission");
  if (token !== TOKENS.valid) return refuse(response, token ? "invalid_auth" : "not_authed");
  if (call.form.app_id !== state.app.id) return refuse(response, "invalid_app_id");
  return true;
}

function exported(_, response) {
  answer(response, 200, { ok: true, manifest: state.manifest });
}

function validated(call, response) {
  const errors = problems(call.form.manifest);
  if (errors.length) return refuse(response, "invalid_manifest", { errors });
  return answer(response, 200, { ok: true, errors: [] });
}

function updated(call, response) {
  const errors = problems(call.form.manifest);
  if (errors.length) return refuse(response, "invalid_manifest", { errors });
  const before = JSON.stringify(state.manifest.oauth_config?.scopes);
  state.manifest = JSON.parse(call.form.manifest);
  state.updates += 1;
  const permissions_updated = before !== JSON.stringify(state.manifest.oauth_config?.scopes);
  return answer(response, 200, { ok: true, app_id: state.app.id, permissions_updated });
}

// --- The tests' side -----------------------------------------------------------------------

const shown = ({ team, token, bot_user_id, bot_id }) => ({ team, token, bot_user_id, bot_id });

/** What Slack does when its user presses Verify: asks the URL for its challenge. */
async function verify(url) {
  const challenge = randomBytes(24).toString("base64url");
  const payload = { token: "Jhj5dZrVaK7ZwHHjRyZWjbDl", challenge, type: "url_verification" };
  const answered = await deliver({ url, secret: state.app.signing_secret, payload });
  return { status: answered.status, verified: answered.status === 200 && (answered.body === challenge || answered.body?.challenge === challenge) };
}

/**
 * Sends events to the manifest's URL: `{ team, event | example | payload, event_id?, count?,
 * concurrency?, tamper?, retry?, url?, secret? }`. Nothing is sent that the app is not subscribed
 * to, unless `anyway`.
 */
function deliveries({ team = "T024BE7LD", event, example, payload, count = 1, concurrency = 1, anyway = false, ...job }) {
  const inner = event ?? (example === undefined ? undefined : examples[example].event);
  const whole = payload ?? envelope(inner, { team, app: state.app.id, bot_user: state.installed.get(team)?.bot_user_id, ...job });
  const { request_url, bot_events = [] } = state.manifest.settings.event_subscriptions ?? {};
  if (inner && !anyway && !bot_events.includes(subscription(inner))) return [];
  const jobs = Array.from({ length: count }, () => ({ url: request_url, secret: state.app.signing_secret, ...job, payload: whole }));
  return deliverAll(jobs, concurrency);
}

function subscription({ type, channel_type }) {
  return type === "message" ? `message.${{ channel: "channels", group: "groups" }[channel_type] ?? channel_type}` : type;
}
