// A GitHub for tests: accepts webhooks to be created, listed and deleted as the real one does,
// checks each request against GitHub's published description, and sends signed deliveries.
//
//   node github.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import http from "node:http";
import { parseArgs } from "node:util";
import { deliver, deliverAll, example, examples, facts } from "./deliveries.mjs";
import { examine } from "./description.mjs";

const DOCS = "https://docs.github.com/rest/repos/webhooks";
const VALID = "ghp_valid";
const WITHOUT_RIGHTS = "ghp_norights";

const fresh = () => ({ hooks: new Map(), next: 570_000_001, violations: [], requests: [], faults: [] });
let state = fresh();

const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const server = http.createServer((request, response) => {
  handle(request, response).catch((error) => answer(response, 500, { message: `simulator: ${error.stack}` }));
});
server.listen(Number(values.port), "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
process.on("SIGTERM", () => process.exit(0));

async function handle(request, response) {
  const url = new URL(request.url, "http://127.0.0.1");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  if (url.pathname.startsWith("/_sim/")) {
    return control(url.pathname.slice("/_sim/".length), body.length ? JSON.parse(body) : {}, response);
  }
  state.requests.push({ method: request.method, path: request.url });
  const fault = state.faults[0];
  if (fault && (!fault.match || fault.match === request.method)) {
    state.faults.shift();
    return misbehave(fault, request, url, body, response);
  }
  return serve(request, url, body, response);
}

// --- GitHub's side -------------------------------------------------------------------------

function serve(request, url, body, response) {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (token !== VALID && token !== WITHOUT_RIGHTS) return refuse(response, 401, "Bad credentials");
  const { operation, path, violations } = examine(request.method, url, request.headers, body);
  if (violations.length) {
    state.violations.push({ method: request.method, path: request.url, violations });
    return answer(response, 400, { message: "the simulator found violations", violations });
  }
  if (token === WITHOUT_RIGHTS) return refuse(response, 404, "Not Found");
  const owner = path.org ? `orgs/${path.org}` : `repos/${path.owner}/${path.repo}`;
  const hook = path.hook_id && state.hooks.get(Number(path.hook_id));
  if (path.hook_id && hook?.owner !== owner) return refuse(response, 404, "Not Found");
  const action = operation.split("/")[1];
  if (action.startsWith("create")) return create(owner, JSON.parse(body), response);
  if (action.startsWith("list")) return list(owner, url, response);
  if (action.startsWith("get")) return answer(response, 200, shown(hook));
  if (action.startsWith("update")) return update(hook, JSON.parse(body), response);
  state.hooks.delete(hook.id);
  return answer(response, 204);
}

function create(owner, wanted, response) {
  const { url, secret, content_type = "form", insecure_ssl = "0" } = wanted.config ?? {};
  const events = wanted.events ?? ["push"];
  if (!/^https?:\/\//.test(url ?? "")) return invalid(response, "url is missing or not http(s)");
  const mine = [...state.hooks.values()].filter((hook) => hook.owner === owner);
  const same = mine.find((hook) => hook.config.url === url && hook.events.some((event) => events.includes(event)));
  if (same) return invalid(response, "Hook already exists on this repository");
  for (const event of events) {
    if (mine.filter((hook) => hook.events.includes(event)).length >= 20) {
      return invalid(response, `The "${event}" event cannot have more than 20 hooks`);
    }
  }
  const now = new Date().toISOString();
  const hook = {
    id: state.next++, owner, events, active: wanted.active ?? true,
    config: { url, secret, content_type, insecure_ssl }, created_at: now, updated_at: now,
  };
  state.hooks.set(hook.id, hook);
  response.setHeader("location", shown(hook).url);
  answer(response, 201, shown(hook));
  // GitHub says hello as soon as a webhook exists; it does not wait for an answer.
  const payload = { zen: "Keep it logically awesome.", hook_id: hook.id, hook: shown(hook) };
  deliver({ url, secret, event: "ping", payload }).catch(() => {});
}

function list(owner, url, response) {
  const size = Number(url.searchParams.get("per_page") ?? 30);
  const page = Number(url.searchParams.get("page") ?? 1);
  const mine = [...state.hooks.values()].filter((hook) => hook.owner === owner);
  answer(response, 200, mine.slice((page - 1) * size, page * size).map(shown));
}

function update(hook, change, response) {
  Object.assign(hook, { events: change.events ?? hook.events, active: change.active ?? hook.active });
  Object.assign(hook.config, change.config ?? {});
  answer(response, 200, shown(hook));
}

/** A webhook as GitHub shows it: the secret masked. */
function shown({ id, owner, events, active, config, created_at, updated_at }) {
  const url = `https://api.github.com/${owner}/hooks/${id}`;
  return {
    type: owner.startsWith("orgs/") ? "Organization" : "Repository", id, name: "web", active, events,
    config: { ...config, secret: config.secret ? "********" : undefined },
    created_at, updated_at, url, ping_url: `${url}/pings`, test_url: `${url}/test`, deliveries_url: `${url}/deliveries`,
    last_response: { code: null, status: "unused", message: null },
  };
}

function refuse(response, status, message) {
  answer(response, status, { message, documentation_url: DOCS, status: String(status) });
}

function invalid(response, message) {
  const errors = [{ resource: "Hook", code: "custom", message }];
  answer(response, 422, { message: "Validation Failed", errors, documentation_url: DOCS, status: "422" });
}

function answer(response, status, body) {
  response.statusCode = status;
  if (body === undefined) return response.end();
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.end(JSON.stringify(body));
}

// --- The tests' side -----------------------------------------------------------------------

/** A bad moment of the provider; with `apply`, the request takes effect all the same. */
function misbehave(fault, request, url, body, response) {
  if (fault.apply) serve(request, url, body, new http.ServerResponse(request));
  if (fault.hang) return undefined;
  if (fault.delay) return setTimeout(() => serve(request, url, body, response), fault.delay);
  if (fault.reset) return request.socket.resetAndDestroy();
  if (fault.html === undefined) return answer(response, fault.status, fault.body);
  response.statusCode = fault.status;
  response.setHeader("content-type", "text/html");
  return response.end(fault.html);
}

async function control(action, body, response) {
  switch (action) {
    case "state": {
      const hooks = [...state.hooks.values()].map(({ config, ...hook }) => ({ ...hook, url: config.url, secret: config.secret }));
      return answer(response, 200, { hooks, violations: state.violations, requests: state.requests });
    }
    case "reset":
      state = fresh();
      return answer(response, 200, {});
    case "fault":
      state.faults.push(...body.next.map((fault) => ({ match: body.match, ...fault })));
      return answer(response, 200, {});
    case "examples":
      return answer(response, 200, examples.map(facts));
    case "deliver":
      return answer(response, 200, await deliveries(body));
    case "corpus": {
      const answers = await deliverAll(examples.map((one) => ({ ...body, event: one.event, payload: one.payload })), 8);
      return answer(response, 200, answers.map(({ status, delivery }, index) => ({ ...facts(examples[index]), status, delivery })));
    }
    default:
      return answer(response, 404, { message: `there is no /_sim/${action}` });
  }
}

function deliveries({ hook_id, example: wanted, count = 1, concurrency = 1, ...job }) {
  const hook = state.hooks.get(hook_id);
  const target = hook ? { url: hook.config.url, secret: hook.config.secret } : {};
  const payload = wanted ? example(wanted.event, wanted.index) : job.payload;
  return deliverAll(Array.from({ length: count }, () => ({ ...target, ...job, payload })), concurrency);
}
