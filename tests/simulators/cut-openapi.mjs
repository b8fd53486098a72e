// Cuts GitHub's published API description down to the webhook operations that the simulator
// speaks: node cut-openapi.mjs. Its source is the npm package @octokit/openapi (MIT), whose whole
// description is too large to keep here.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PACKAGE = "@octokit/openapi@23.0.2";
const FILE = "package/generated/api.github.com.json";
const PATHS = [
  "/repos/{owner}/{repo}/hooks",
  "/repos/{owner}/{repo}/hooks/{hook_id}",
  "/orgs/{org}/hooks",
  "/orgs/{org}/hooks/{hook_id}",
];

const folder = mkdtempSync(join(tmpdir(), "openapi-"));
const packed = execFileSync("npm", ["pack", "--silent", PACKAGE], { cwd: folder, encoding: "utf8" }).trim();
execFileSync("tar", ["xzf", packed, FILE], { cwd: folder });
const whole = JSON.parse(readFileSync(join(folder, FILE), "utf8"));
rmSync(folder, { recursive: true });

const cut = {
  source: `${PACKAGE} ${FILE} (MIT), cut down by cut-openapi.mjs`,
  paths: Object.fromEntries(PATHS.map((path) => [path, slim(whole.paths[path])])),
};
writeFileSync(new URL("github-hooks.openapi.json", import.meta.url), `${JSON.stringify(cut, null, 1)}\n`);

/** Keeps what a request is checked against, every reference resolved. */
function slim(operations) {
  return Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => [
      method,
      {
        operationId: operation.operationId,
        parameters: resolve(operation.parameters ?? []),
        requestBody: resolve(operation.requestBody ?? null),
        responses: Object.keys(operation.responses),
      },
    ]),
  );
}

function resolve(node) {
  if (Array.isArray(node)) return node.map(resolve);
  if (node === null || typeof node !== "object") return node;
  if (node.$ref) {
    return resolve(node.$ref.split("/").slice(1).reduce((at, step) => at[step.replaceAll("~1", "/")], whole));
  }
  const kept = Object.entries(node).filter(([key]) => !["examples", "example", "description"].includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, resolve(value)]));
}
