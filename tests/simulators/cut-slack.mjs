// Takes from Slack's own types what a manifest may name: node cut-slack.mjs. Its source is the npm
// package @slack/web-api (MIT).
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PACKAGE = "@slack/web-api@8.2.0";
const FILE = "package/dist/types/request/manifest.d.ts";

const folder = mkdtempSync(join(tmpdir(), "slack-"));
const packed = execFileSync("npm", ["pack", "--silent", PACKAGE], { cwd: folder, encoding: "utf8" }).trim();
execFileSync("tar", ["xzf", packed, FILE], { cwd: folder });
const types = readFileSync(join(folder, FILE), "utf8");
rmSync(folder, { recursive: true });

/** The texts of a union type, and the members of an interface. */
const union = (name) => [...new RegExp(`type ${name} = ([^;]+);`).exec(types)[1].matchAll(/'([^']+)'/g)].map((match) => match[1]);
const members = (name) => {
  const body = new RegExp(`interface ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(types)[1].replace(/\/\*[\s\S]*?\*\//g, "");
  return [...body.matchAll(/^\s*(\w+)\??:/gm)].map((match) => match[1]);
};

const cut = {
  source: `${PACKAGE} ${FILE} (MIT), cut down by cut-slack.mjs`,
  events: union("ManifestEvent"),
  bot_scopes: union("BotScope"),
  manifest: members("Manifest"),
  settings: members("ManifestSettings"),
  event_subscriptions: members("ManifestEventSubscriptions"),
  oauth_config: members("ManifestOAuthConfig"),
};
writeFileSync(new URL("slack-manifest.json", import.meta.url), `${JSON.stringify(cut, null, 1)}\n`);
