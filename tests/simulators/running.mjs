// Runs a simulator for a test of its own, and speaks with its control plane.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** `{ url, control(action, body), stop() }` of a simulator in a process of its own. */
export async function run(script) {
  const child = spawn(process.execPath, [new URL(script, import.meta.url).pathname, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const url = `http://127.0.0.1:${JSON.parse(line).port}`;
  const control = async (action, body = {}) => {
    const answer = await fetch(`${url}/_sim/${action}`, { method: "POST", body: JSON.stringify(body) });
    return answer.json();
  };
  return { url, control, stop: () => child.kill() };
}

/** A receiver that keeps what it is sent and answers with `reply(request)`. */
export async function receiver(reply = () => ({ status: 200, body: "" })) {
  const { createServer } = await import("node:http");
  const received = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const one = { headers: request.headers, body: Buffer.concat(chunks).toString("utf8") };
    received.push(one);
    const { status, body } = reply(one);
    response.statusCode = status;
    response.end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: `http://127.0.0.1:${server.address().port}/in`, received, stop: () => server.close() };
}
