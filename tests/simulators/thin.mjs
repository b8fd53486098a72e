// A mailbox that says only that something happened: notices carry a history number, what changed
// is read from there on. Watches live for a while and are to be renewed.
//
//   node thin.mjs --port 0     prints {"port": N} when it listens, on loopback only
//
// Tests steer it under /_sim; see README.md.
import { createHmac } from "node:crypto";
import http from "node:http";
import { parseArgs } from "node:util";

const TOKEN = "pb_valid";
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const fresh = () => ({
  messages: [], history: 100, floor: 0, watches: new Map(), next: 1, lifetime: 3600, delay: 0,
  faults: [], requests: [], violations: [], resting: 0, cursors: [], open: 0, overlap: 0, renewals: 0,
});
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
  const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
  if (url.pathname.startsWith("/_sim/")) {
    return answer(response, 200, (await control(url.pathname.slice("/_sim/".length), body)) ?? {});
  }
  const call = `${request.method} ${url.pathname}`;
  state.requests.push(call);
  if (Date.now() < state.resting) state.violations.push(`${call} came before Retry-After had passed`);
  const index = state.faults.findIndex(({ match }) => !match || call.includes(match));
  if (index >= 0) return misbehave(index, request, response, () => serve(request, url, body, response));
  return serve(request, url, body, response);
}

// --- The provider's side --------------------------------------------------------------------

async function serve(request, url, body, response) {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, "the token is not known");
  const [, kind, id, action] = url.pathname.split("/");
  const watch = id && live(state.watches.get(id));
  if (kind === "watch" && request.method === "POST" && !id) return begin(body, response);
  if (kind === "watch" && !watch) return refuse(response, 404, "there is no such watch");
  switch (`${request.method} ${kind}${action ? `/${action}` : ""}`) {
    case "GET watch":
      return answer(response, 200, shown(watch));
    case "DELETE watch":
      state.watches.delete(id);
      return answer(response, 204);
    case "POST watch/renew":
      watch.expires_at = Date.now() + state.lifetime * 1000;
      state.renewals += 1;
      return answer(response, 200, shown(watch));
    case "GET profile":
      return answer(response, 200, { history: state.history });
    case "GET history":
      return history(Number(url.searchParams.get("since")), Number(url.searchParams.get("limit")), response);
    default:
      return refuse(response, 404, "there is nothing here");
  }
}

function begin({ url, secret }, response) {
  const watch = { id: `w${state.next++}`, url, secret, expires_at: Date.now() + state.lifetime * 1000 };
  state.watches.set(watch.id, watch);
  return answer(response, 201, { ...shown(watch), history: state.history });
}

const live = (watch) => (watch && watch.expires_at > Date.now() ? watch : undefined);
const shown = ({ id, url, expires_at }) => ({ id, url, expires_at: new Date(expires_at).toISOString() });

/** What came after `since`, a few at a time; too old a number is not known any more. */
async function history(since, limit, response) {
  state.cursors.push(since);
  state.overlap = Math.max(state.overlap, ++state.open);
  if (state.delay) await new Promise((resolve) => setTimeout(resolve, state.delay));
  state.open -= 1;
  if (since < state.floor) return refuse(response, 404, "the history is not kept that long");
  const later = state.messages.filter((message) => message.history > since);
  const items = later.slice(0, limit);
  const more = later.length > items.length;
  return answer(response, 200, { items, more, history: more ? items.at(-1).history : state.history });
}

function refuse(response, status, message) {
  return answer(response, status, { message });
}

function answer(response, status, body) {
  response.statusCode = status;
  if (body === undefined) return response.end();
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
}

// --- The tests' side -------------------------------------------------------------------------

/** A bad moment, once or `times` over; with `apply`, the request takes effect all the same. */
async function misbehave(index, request, response, really) {
  const fault = state.faults[index];
  fault.times = (fault.times ?? 1) - 1;
  if (fault.times <= 0) state.faults.splice(index, 1);
  if (fault.hang) return undefined;
  if (fault.reset) return request.socket.resetAndDestroy();
  if (fault.delay) return setTimeout(really, fault.delay);
  if (fault.retry_after !== undefined) {
    response.setHeader("retry-after", String(fault.retry_after));
    state.resting = Date.now() + fault.retry_after * 1000;
  }
  return refuse(response, fault.status, fault.message ?? "a bad moment");
}

async function control(action, body) {
  switch (action) {
    case "state": {
      const { watches, faults, ...rest } = state;
      return { ...rest, watches: [...watches.values()].filter(live).map(shown), faults: faults.length };
    }
    case "set":
      return void Object.assign(state, body);
    case "fault":
      return void state.faults.push(...body.next);
    case "mend":
      return void Object.assign(state, { faults: [] });
    case "lose":
      return void state.watches.clear();
    case "forget":
      return void Object.assign(state, { messages: [], floor: state.history });
    case "receive":
      for (let count = body.count ?? 1; count > 0; count--) {
        state.history += 1;
        state.messages.push({ id: `m${state.history}`, history: state.history, subject: body.subject ?? "hello" });
      }
      return notify(body.notices ?? 1, body);
    case "notify":
      return notify(body.count ?? 1, body);
    default:
      throw new Error(`there is no /_sim/${action}`);
  }
}

/** Sends signed notices to every watch, or to another base than the one it was made for. */
async function notify(count, { base, history = state.history }) {
  const sent = [];
  for (const watch of [...state.watches.values()].filter(live)) {
    const url = base ? new URL(new URL(watch.url).pathname, base) : new URL(watch.url);
    for (let number = 0; number < count; number++) sent.push(send(url, watch.secret, { mailbox: "m", history }));
  }
  return { statuses: await Promise.all(sent) };
}

/** The status answered; 0 where nobody answered. */
function send(url, secret, notice) {
  const body = JSON.stringify(notice);
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const headers = { "content-type": "application/json", "x-postbox-signature": signature };
  return new Promise((resolve) => {
    const request = http.request(url, { method: "POST", agent, headers }, (answered) => {
      answered.resume();
      answered.on("end", () => resolve(answered.statusCode));
    });
    request.on("error", () => resolve(0));
    request.end(body);
  });
}
