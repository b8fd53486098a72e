// Checks a request against GitHub's published API description.
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const description = JSON.parse(readFileSync(new URL("github-hooks.openapi.json", import.meta.url)));
const ajv = new Ajv({ strict: false, coerceTypes: false, allErrors: true });
addFormats(ajv);

const operations = Object.entries(description.paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    const names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const schema = operation.requestBody?.content?.["application/json"]?.schema;
    return {
      method: method.toUpperCase(),
      pattern: new RegExp(`^${template.replace(/\{\w+\}/g, "([^/]+)")}$`),
      names,
      operation,
      validate: schema && ajv.compile(schema),
    };
  }),
);

/** The operation a request means, its path parameters, and everything that is wrong with it. */
export function examine(method, url, headers, body) {
  const found = operations.find((one) => one.method === method && one.pattern.test(url.pathname));
  if (!found) return { violations: [`no such operation: ${method} ${url.pathname}`] };
  const values = found.pattern.exec(url.pathname).slice(1).map(decodeURIComponent);
  const path = Object.fromEntries(found.names.map((name, index) => [name, values[index]]));
  const violations = [...headerViolations(headers), ...queryViolations(found.operation, url)];
  if (found.validate) {
    const parsed = parse(body);
    if (parsed === undefined) violations.push("the body is not JSON");
    else if (!found.validate(parsed)) {
      violations.push(...found.validate.errors.map((error) => `body${error.instancePath} ${error.message}`));
    }
  } else if (body.length > 0) {
    violations.push("this operation takes no body");
  }
  return { operation: found.operation.operationId, path, violations };
}

// Documented in prose only: GitHub refuses requests without a user agent.
function headerViolations(headers) {
  const violations = [];
  if (!headers["user-agent"]) violations.push("the header user-agent is missing");
  if (headers.accept !== "application/vnd.github+json") violations.push(`the header accept is ${headers.accept}`);
  if (!["2022-11-28", "2026-03-10"].includes(headers["x-github-api-version"])) {
    violations.push(`the header x-github-api-version is ${headers["x-github-api-version"]}`);
  }
  return violations;
}

function queryViolations(operation, url) {
  const known = new Map(operation.parameters.filter((one) => one.in === "query").map((one) => [one.name, one.schema]));
  return [...url.searchParams].flatMap(([name, value]) => {
    if (!known.has(name)) return [`unknown query parameter ${name}`];
    return known.get(name).type === "integer" && !/^\d+$/.test(value) ? [`the query parameter ${name} is not a number`] : [];
  });
}

function parse(body) {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
