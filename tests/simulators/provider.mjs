// What the simulators have in common: a server on loopback with a control plane under /_sim, a
// record of what was asked, and bad moments on demand.
import http from "node:http";
import { parseArgs } from "node:util";

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

/**
 * Serves a provider: `serve(call, response)` answers its own paths, `actions[name](body)` those of
 * the tests. Prints {"port": N} when it listens.
 */
export function provide({ serve, actions, refuse }) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
  const seen = { requests: [], faults: [] };
  const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => answer(response, 500, { error: `simulator: ${error.stack}` }));
  });
  server.listen(Number(values.port), "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
  process.on("SIGTERM", () => process.exit(0));

  async function handle(request, response) {
    const call = await read(request);
    if (call.path.startsWith("/_sim/")) return control(call, response);
    seen.requests.push({ method: call.method, path: request.url });
    const index = seen.faults.findIndex(({ match }) => !match || match === call.method || call.path.includes(match));
    if (index < 0) return serve(call, response);
    const [fault] = seen.faults.splice(index, 1);
    return misbehave(fault, call, request, response);
  }

  /** A bad moment of the provider; with `apply`, the request takes effect all the same. */
  async function misbehave(fault, call, request, response) {
    if (fault.apply) await serve(call, new http.ServerResponse(request));
    if (fault.hang) return undefined;
    if (fault.delay) return setTimeout(() => serve(call, response), fault.delay);
    if (fault.reset) return request.socket.resetAndDestroy();
    for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
    if (fault.html === undefined) return answer(response, fault.status, fault.body ?? refuse(fault.status));
    response.statusCode = fault.status;
    response.setHeader("content-type", "text/html");
    return response.end(fault.html);
  }

  async function control(call, response) {
    const name = call.path.slice("/_sim/".length);
    const body = call.body.length ? JSON.parse(call.body) : {};
    if (name === "fault") {
      seen.faults.push(...body.next.map((fault) => ({ match: body.match, ...fault })));
      return answer(response, 200, {});
    }
    if (name === "reset") Object.assign(seen, { requests: [], faults: [] });
    const action = actions[name];
    if (!action) return answer(response, 404, { error: `there is no /_sim/${name}` });
    const result = await action(body);
    return answer(response, 200, name === "state" ? { ...result, requests: seen.requests } : (result ?? {}));
  }
}

/** A request, whole: `{ method, url, path, query, headers, body, form }`. */
async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const url = new URL(request.url, `http://${request.headers.host}`);
  const body = Buffer.concat(chunks).toString("utf8");
  const isForm = request.headers["content-type"] === "application/x-www-form-urlencoded";
  return {
    method: request.method, url, path: url.pathname, query: url.searchParams, headers: request.headers, body,
    form: isForm ? Object.fromEntries(new URLSearchParams(body)) : undefined,
  };
}

export function answer(response, status, body, headers = {}) {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (body === undefined) return response.end();
  response.setHeader("content-type", "application/json; charset=utf-8");
  return response.end(JSON.stringify(body));
}

/** Sends the user's browser on. */
export function redirect(response, target, parameters) {
  const url = new URL(target);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value);
  response.statusCode = 302;
  response.setHeader("location", url.toString());
  return response.end();
}

/** Client credentials of a token request: in the form or by basic authentication (RFC 6749, 2.3.1). */
export function client(call) {
  const basic = /^Basic (.+)$/.exec(call.headers.authorization ?? "")?.[1];
  if (!basic) return { id: call.form?.client_id, secret: call.form?.client_secret };
  const [id, secret] = Buffer.from(basic, "base64").toString("utf8").split(":").map(decodeURIComponent);
  return { id, secret };
}

export const bearer = (call) => /^Bearer (.+)$/.exec(call.headers.authorization ?? "")?.[1];

/** Posts a delivery and tells how it was answered. */
export function post(url, headers, body) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const request = http.request(url, { method: "POST", headers: { ...headers, "content-length": bytes.length }, agent });
    request.on("response", async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString("utf8");
      resolve({ status: response.statusCode, headers: response.headers, body: parse(text) });
    });
    request.on("error", reject);
    request.end(bytes);
  });
}

/** Does `jobs` with at most `concurrency` under way, and keeps their order. */
export async function all(jobs, concurrency, work) {
  const answers = new Array(jobs.length);
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const index = next++;
      answers[index] = await work(jobs[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, worker));
  return answers;
}

export function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
