// Cuts Google's discovery document of Gmail down to the methods that the simulator speaks:
// node cut-discovery.mjs gmail.v1.json. The document is in the PyPI package
// google-api-python-client (Apache-2.0), googleapiclient/discovery_cache/documents/gmail.v1.json.
import { readFileSync, writeFileSync } from "node:fs";

const VERSION = "google-api-python-client 2.202.0";
const whole = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { methods, resources } = whole.resources.users;
const wanted = [
  methods.getProfile, methods.watch, methods.stop,
  resources.history.methods.list, resources.messages.methods.list, resources.messages.methods.get,
];

const SCHEMAS = ["WatchRequest"];
const cut = {
  source: `PyPI ${VERSION}, gmail.v1.json of revision ${whole.revision} (Apache-2.0), cut down by cut-discovery.mjs`,
  common_parameters: Object.keys(whole.parameters),
  methods: wanted.map(({ id, httpMethod, path, parameters, request, scopes }) => ({
    id, httpMethod, path, request: request?.$ref, scopes, parameters: bare(parameters),
  })),
  schemas: Object.fromEntries(SCHEMAS.map((name) => [name, bare(whole.schemas[name])])),
};
writeFileSync(new URL("gmail-discovery.json", import.meta.url), `${JSON.stringify(cut, null, 1)}\n`);

/** Without words for people. */
function bare(node) {
  if (Array.isArray(node)) return node.map(bare);
  if (node === null || typeof node !== "object") return node;
  const isForPeople = ([key, value]) => key === "enumDescriptions" || (key === "description" && typeof value === "string");
  const kept = Object.entries(node).filter((entry) => !isForPeople(entry));
  return Object.fromEntries(kept.map(([key, value]) => [key, bare(value)]));
}
