// An authorisation server and an API for tests: the authorisation-code flow of RFC 6749 with
// PKCE (RFC 7636), codes that count once, and refresh tokens that are replaced at every use and
// whose second use ends the whole family, as the OAuth security practice asks (RFC 9700, 4.14).
//
//   node oauth.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Everybody who is sent to /authorize consents. Tests steer it under /_sim; see README.md.
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { parseArgs } from "node:util";

const CLIENT = { id: "client-orchard", secret: "client-secret-canary-5f1d" };

const settings = {
  client_secret: CLIENT.secret, redirect_uri: null, authentication: "body", pkce: true, lasts: 3600,
  account: "team-1", deny: null, refresh_tokens: true, scope: "hooks read",
};
const codes = new Map();
const families = new Map();
const access = new Map();
const refresh = new Map();
const seen = {
  authorizations: 0, exchanges: 0, refreshes: 0, reuses: 0, hooks: [], violations: [], secrets: [CLIENT.secret],
  asked: [],
};
let faults = [];

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const server = http.createServer((request, response) => {
  handle(request, response).catch((error) => json(response, 500, { message: `simulator: ${error.stack}` }));
});
server.listen(Number(values.port), "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.on("SIGTERM", () => process.exit(0));

async function handle(request, response) {
  const url = new URL(request.url, "http://127.0.0.1");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (url.pathname.startsWith("/_sim/")) return control(url.pathname.slice(6), body ? JSON.parse(body) : {}, response);
  seen.asked.push(`${request.method} ${url.pathname}`);
  if (url.pathname === "/authorize") return authorize(url.searchParams, response);
  if (url.pathname === "/token") return token(request, new URLSearchParams(body), response);
  return api(request, url, body, response);
}

// --- the authorisation server ---------------------------------------------------------------

function authorize(query, response) {
  seen.authorizations += 1;
  seen.secrets.push(query.get("state"));
  const wrong = [
    ["response_type", "code"], ["client_id", CLIENT.id], ["redirect_uri", settings.redirect_uri],
    ["scope", settings.scope], ["prompt", "consent"],
    ...(settings.pkce ? [["code_challenge_method", "S256"]] : []),
  ].filter(([name, wanted]) => query.get(name) !== wanted);
  if (!/^[A-Za-z0-9_-]{43}$/.test(query.get("state") ?? "")) wrong.push(["state", "43 characters"]);
  if (settings.pkce && !/^[A-Za-z0-9_-]{43}$/.test(query.get("code_challenge") ?? "")) wrong.push(["code_challenge", "43 characters"]);
  if (wrong.length) {
    // A wrong redirect_uri must never be followed (RFC 6749, 4.1.2.1).
    seen.violations.push({ authorize: Object.fromEntries(query), wrong });
    return json(response, 400, { error: "invalid_request", wrong });
  }
  const back = new URL(query.get("redirect_uri"));
  back.searchParams.set("state", query.get("state"));
  if (settings.deny) {
    back.searchParams.set("error", settings.deny);
    back.searchParams.set("error_description", "The user <b>did not</b> consent");
  } else {
    const code = secret("code");
    codes.set(code, { challenge: query.get("code_challenge"), redirect_uri: query.get("redirect_uri"), account: settings.account });
    back.searchParams.set("code", code);
    back.searchParams.set("session_state", "what some providers add");
  }
  response.writeHead(302, { location: back.href }).end();
}

async function token(request, form, response) {
  const fault = faults.findIndex(({ grant }) => !grant || grant === form.get("grant_type"));
  if (fault >= 0) {
    const [found] = faults.splice(fault, 1);
    if (await misbehave(found, response)) return;
  }
  const refuse = (error, error_description) => json(response, error === "invalid_client" ? 401 : 400, { error, error_description });
  if (request.method !== "POST" || request.headers["content-type"] !== "application/x-www-form-urlencoded") {
    return refuse("invalid_request", "POST a form");
  }
  if (!isClient(request, form)) return refuse("invalid_client", `not ${form.get("client_secret")}`);
  if (form.get("grant_type") === "authorization_code") return exchange(form, response, refuse);
  if (form.get("grant_type") === "refresh_token") return renew(form, response, refuse);
  return refuse("unsupported_grant_type");
}

function isClient(request, form) {
  const wanted = [CLIENT.id, settings.client_secret];
  if (settings.authentication === "body") {
    return form.get("client_id") === wanted[0] && form.get("client_secret") === wanted[1];
  }
  const pair = `${encodeURIComponent(wanted[0])}:${encodeURIComponent(wanted[1])}`;
  const basic = `Basic ${Buffer.from(pair).toString("base64")}`;
  return request.headers.authorization === basic && !form.has("client_secret");
}

function exchange(form, response, refuse) {
  seen.exchanges += 1;
  const code = codes.get(form.get("code"));
  if (!code || code.family) {
    if (code) families.get(code.family).revoked = true;
    return refuse("invalid_grant", `the code ${form.get("code")} is unknown or was used`);
  }
  if (form.get("redirect_uri") !== code.redirect_uri) return refuse("invalid_grant", "another redirect_uri");
  if (settings.pkce) {
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    seen.secrets.push(form.get("code_verifier"));
    if (challenge !== code.challenge) return refuse("invalid_grant", "the verifier does not fit the challenge");
  }
  code.family = families.size + 1;
  families.set(code.family, { account: code.account, revoked: false, rotations: 0 });
  issue(code.family, response);
}

function renew(form, response, refuse) {
  seen.refreshes += 1;
  const given = form.get("refresh_token");
  const known = refresh.get(given);
  if (!known) return refuse("invalid_grant", `the token ${given} is unknown`);
  const family = families.get(known.family);
  if (known.used) {
    seen.reuses += 1;
    family.revoked = true;
  }
  if (family.revoked) return refuse("invalid_grant", `the token ${given} was revoked`);
  known.used = true;
  family.rotations += 1;
  issue(known.family, response);
}

function issue(family, response) {
  const tokens = { access_token: secret("access"), token_type: "bearer", scope: settings.scope };
  access.set(tokens.access_token, { family, until: Date.now() + (settings.lasts ?? 1e6) * 1000 });
  if (settings.lasts !== null) tokens.expires_in = settings.lasts;
  if (settings.refresh_tokens) {
    tokens.refresh_token = secret("refresh");
    refresh.set(tokens.refresh_token, { family, used: false });
  }
  json(response, 200, tokens);
}

/** Answers with a fault; returns whether it was the whole answer. */
async function misbehave({ kind, milliseconds, retry_after }, response) {
  if (kind === "slow") {
    await new Promise((done) => setTimeout(done, milliseconds));
    return false;
  }
  if (kind === "hang") return true;
  if (kind === "reset") return response.destroy() || true;
  if (kind === "429") response.setHeader("retry-after", String(retry_after ?? 1));
  if (kind === "html") {
    response.writeHead(200, { "content-type": "text/html" }).end("<html><title>Sorry</title></html>");
  } else if (kind === "invalid_grant" || kind === "invalid_client") {
    json(response, 400, { error: kind, error_description: "a fault" });
  } else {
    json(response, Number(kind), { message: "a fault" });
  }
  return true;
}

// --- the API --------------------------------------------------------------------------------

function api(request, url, body, response) {
  const held = access.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]);
  const family = held && families.get(held.family);
  if (!family || family.revoked || held.until < Date.now()) {
    return json(response, 401, { message: `the token ${request.headers.authorization} is not good` });
  }
  if (request.method === "GET" && url.pathname === "/api/me") {
    return json(response, 200, { id: family.account, name: `The ${family.account}`, region: "eu" });
  }
  if (request.method === "POST" && url.pathname === "/api/hooks") {
    const hook = { id: seen.hooks.length + 1, account: family.account, ...JSON.parse(body) };
    seen.hooks.push(hook);
    return json(response, 201, hook);
  }
  if (request.method === "DELETE" && url.pathname.startsWith("/api/hooks/")) {
    seen.hooks = seen.hooks.filter((hook) => String(hook.id) !== url.pathname.slice(11));
    return response.writeHead(204).end();
  }
  json(response, 404, { message: "no such thing" });
}

// --- the control plane ----------------------------------------------------------------------

function control(action, body, response) {
  if (action === "settings") Object.assign(settings, body);
  if (action === "faults") faults = body.faults;
  if (action === "revoke") for (const family of families.values()) family.revoked = true;
  if (action === "forget-access") access.clear();
  if (action === "mint") {
    // A token that is pasted, as some providers let their users make them.
    const [token, family] = [secret("pasted"), families.size + 1];
    families.set(family, { account: body.account, revoked: false, rotations: 0 });
    access.set(token, { family, until: Infinity });
    return json(response, 200, { token });
  }
  const tokens = [...access.keys(), ...refresh.keys(), ...codes.keys()];
  json(response, 200, {
    ...seen, secrets: [...seen.secrets.filter(Boolean), ...tokens], families: [...families.values()], client: CLIENT, faults,
  });
}

function secret(kind) {
  // The characters that URLs and forms encode come along.
  return `${kind}+${randomBytes(24).toString("base64")}`;
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
