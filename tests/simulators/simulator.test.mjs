// The simulator itself: it notices what GitHub's description forbids, and signs what GitHub's
// library verifies.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sign, verify } from "@octokit/webhooks-methods";
import { examine } from "./description.mjs";
import { examples } from "./deliveries.mjs";

const headers = { "user-agent": "test", accept: "application/vnd.github+json", "x-github-api-version": "2026-03-10" };
const create = (body, path = "/repos/octocat/hello-world/hooks") =>
  examine("POST", new URL(path, "http://x"), headers, Buffer.from(JSON.stringify(body))).violations;

test("a proper registration has no violations", () => {
  const config = { url: "https://example.com", content_type: "json", secret: "s", insecure_ssl: "0" };
  assert.deepEqual(create({ name: "web", active: true, events: ["push"], config }), []);
});

test("what the description forbids is noticed", () => {
  assert.notDeepEqual(create({ name: "web", colour: "red" }), []);
  assert.notDeepEqual(create({ events: "push" }), []);
  assert.notDeepEqual(create({ active: true }, "/orgs/octo-org/hooks"), []);
  assert.notDeepEqual(create({}, "/repos/octocat/hooks"), []);
  const bare = examine("GET", new URL("/repos/a/b/hooks?colour=red", "http://x"), {}, Buffer.alloc(0));
  assert.equal(bare.violations.length, 4);
});

test("the published vector is what the library signs", async () => {
  const expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  assert.equal(await sign("It's a Secret to Everybody", "Hello, World!"), expected);
  assert.ok(await verify("It's a Secret to Everybody", "Hello, World!", expected));
});

test("the corpus is there", () => assert.ok(examples.length > 200, `${examples.length} examples`));
