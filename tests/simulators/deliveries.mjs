// Deliveries as GitHub makes them, signed by GitHub's own library.
import { randomUUID } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";
import { sign } from "@octokit/webhooks-methods";

const catalogue = createRequire(import.meta.url)("@octokit/webhooks-examples/api.github.com/index.json");
// Requests of one test go to one server: connections are worth keeping.
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

/** Every published example: its event, its place among that event's examples, its payload. */
export const examples = catalogue.flatMap(({ name, examples: payloads }) =>
  payloads.map((payload, index) => ({ event: name, index, payload })),
);

/** What tests need to know of an example to say which trigger it is for. */
export function facts({ event, index, payload }) {
  return { event, index, action: payload.action, merged: payload.pull_request?.merged };
}

export function example(event, index) {
  const found = examples.find((one) => one.event === event && one.index === index);
  if (!found) throw new Error(`there is no example ${index} of ${event}`);
  return found.payload;
}

/**
 * Sends one delivery and tells how it was answered. `tamper` forges it in one of the ways a
 * receiver must notice; `form` sends it as GitHub's older content type does.
 */
export async function deliver({ url, secret, event, payload, delivery = randomUUID(), form = false, tamper }) {
  const json = JSON.stringify(payload);
  let body = form ? new URLSearchParams({ payload: json }).toString() : json;
  const signature = await sign(tamper === "wrong_secret" ? `${secret}x` : secret, body);
  const headers = {
    accept: "*/*",
    "user-agent": "GitHub-Hookshot/simulator",
    "x-github-event": event,
    "x-github-delivery": delivery,
    "content-type": form ? "application/x-www-form-urlencoded" : "application/json",
    "x-hub-signature-256": signature,
  };
  if (tamper === "body") body = body.replace("{", "{ ");
  if (tamper === "signature") headers["x-hub-signature-256"] = flip(signature);
  if (tamper === "truncate") headers["x-hub-signature-256"] = signature.slice(0, -2);
  if (tamper === "missing" || tamper === "sha1_only") delete headers["x-hub-signature-256"];
  if (tamper === "sha1_only") headers["x-hub-signature"] = "sha1=0000000000000000000000000000000000000000";
  if (tamper === "double") headers["x-hub-signature-256"] = [signature, signature];
  const answer = await post(url, headers, Buffer.from(body));
  return { ...answer, event, delivery };
}

/** Sends `jobs` with at most `concurrency` under way, and keeps their order. */
export async function deliverAll(jobs, concurrency) {
  const answers = new Array(jobs.length);
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const index = next++;
      answers[index] = await deliver(jobs[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, worker));
  return answers;
}

function flip(signature) {
  const last = signature.at(-1);
  return signature.slice(0, -1) + (last === "0" ? "1" : "0");
}

function post(url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", headers: { ...headers, "content-length": body.length }, agent });
    request.on("response", async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString("utf8");
      resolve({ status: response.statusCode, body: parse(text) });
    });
    request.on("error", reject);
    request.end(body);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
