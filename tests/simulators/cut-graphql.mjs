// Cuts Shopify's published schema of the GraphQL Admin API down to what the simulator speaks:
// node cut-graphql.mjs. Its source is the npm package @shopify/dev-mcp (ISC), which is too large to
// keep here.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { buildClientSchema, printSchema } from "graphql";

const PACKAGE = "@shopify/dev-mcp@1.16.0";
const VERSION = "2026-10";
const FILE = `package/dist/data/admin_${VERSION}.json.gz`;
/** The fields that are kept; of types that are not named here, all are. */
const FIELDS = {
  QueryRoot: ["shop", "webhookSubscription", "webhookSubscriptions"],
  Mutation: ["webhookSubscriptionCreate", "webhookSubscriptionDelete"],
  Shop: ["id", "name", "myshopifyDomain"],
  WebhookSubscription: ["id", "topic", "uri", "format", "filter", "includeFields", "createdAt", "updatedAt", "apiVersion"],
  WebhookSubscriptionInput: ["uri", "format", "filter", "includeFields", "callbackUrl", "name"],
};

const folder = mkdtempSync(join(tmpdir(), "graphql-"));
const packed = execFileSync("npm", ["pack", "--silent", PACKAGE], { cwd: folder, encoding: "utf8" }).trim();
execFileSync("tar", ["xzf", packed, FILE], { cwd: folder });
const { __schema: whole } = JSON.parse(gunzipSync(readFileSync(join(folder, FILE)))).data;
rmSync(folder, { recursive: true });

const types = new Map(whole.types.map((type) => [type.name, type]));
const kept = new Map();
for (const name of ["QueryRoot", "Mutation"]) keep(name);
for (const name of ["String", "Boolean"]) kept.set(name, types.get(name));
const schema = { ...whole, subscriptionType: null, directives: [], types: [...kept.values()] };
const source = `# ${PACKAGE} ${FILE} (ISC), cut down by cut-graphql.mjs\n\n`;
writeFileSync(new URL("shopify-admin.graphql", import.meta.url), `${source}${printSchema(buildClientSchema({ __schema: schema }))}\n`);

/** Keeps a type and what its kept fields lead to. */
function keep(name) {
  if (kept.has(name)) return;
  const type = types.get(name);
  const wanted = (field) => !FIELDS[name] || FIELDS[name].includes(field.name);
  const fields = type.fields?.filter(wanted).map(plain);
  const inputFields = type.inputFields?.filter(wanted).map(plain);
  kept.set(name, { ...type, description: null, fields, inputFields, interfaces: type.interfaces ? [] : null, enumValues: type.enumValues?.map(plain) });
  for (const field of [...(fields ?? []), ...(inputFields ?? [])]) {
    keep(named(field.type));
    for (const argument of field.args ?? []) keep(named(argument.type));
  }
}

function named(type) {
  return type.ofType ? named(type.ofType) : type.name;
}

function plain(field) {
  const args = field.args?.map((argument) => ({ ...argument, description: null }));
  return { ...field, description: null, ...(args ? { args } : {}) };
}
