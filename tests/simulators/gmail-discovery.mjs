// Checks a request against Google's published description of the Gmail API.
import { readFileSync } from "node:fs";
import { parse } from "./provider.mjs";

const description = JSON.parse(readFileSync(new URL("gmail-discovery.json", import.meta.url)));
const methods = description.methods.map((method) => ({
  ...method,
  names: [...method.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]),
  pattern: new RegExp(`^/${method.path.replace(/\{\w+\}/g, "([^/]+)")}$`),
}));

/** The method a request means, its path parameters, and everything that is wrong with it. */
export function examine(call) {
  const method = methods.find((one) => one.httpMethod === call.method && one.pattern.test(call.path));
  if (!method) return { violations: [`no such method: ${call.method} ${call.path}`] };
  const values = method.pattern.exec(call.path).slice(1).map(decodeURIComponent);
  const path = Object.fromEntries(method.names.map((name, index) => [name, values[index]]));
  const violations = [...queryViolations(method, call.query), ...bodyViolations(method, call)];
  return { method, path, violations };
}

function queryViolations(method, query) {
  return [...new Set(query.keys())].flatMap((name) => {
    const parameter = method.parameters[name];
    if (!parameter) return description.common_parameters.includes(name) ? [] : [`unknown query parameter ${name}`];
    const values = query.getAll(name);
    if (parameter.location !== "query") return [`${name} belongs into the path`];
    if (values.length > 1 && !parameter.repeated) return [`the query parameter ${name} is repeated`];
    return values.flatMap((value) => (fits(parameter, value) ? [] : [`the query parameter ${name} is ${value}`]));
  });
}

function fits({ type, format, enum: allowed }, value) {
  if (allowed) return allowed.includes(value);
  if (type === "integer" || /int(32|64)$/.test(format ?? "")) return /^\d+$/.test(value);
  if (type === "boolean") return value === "true" || value === "false";
  return true;
}

function bodyViolations(method, { body, headers }) {
  // Google answers 411 to a POST that does not tell its length.
  if (method.httpMethod === "POST" && headers["content-length"] === undefined) return ["content-length is missing"];
  if (!method.request) return body.length ? ["this method takes no body"] : [];
  const given = parse(body);
  if (typeof given !== "object") return ["the body is not JSON"];
  if (!/^application\/json\b/.test(headers["content-type"] ?? "")) return [`the content type is ${headers["content-type"]}`];
  const { properties } = description.schemas[method.request];
  return Object.entries(given).flatMap(([name, value]) => {
    const property = properties[name];
    if (!property) return [`unknown member ${name}`];
    if (property.deprecated) return [`the member ${name} is deprecated`];
    const kind = Array.isArray(value) ? "array" : typeof value;
    return kind === property.type && (!property.enum || property.enum.includes(value)) ? [] : [`the member ${name} is ${JSON.stringify(value)}`];
  });
}
