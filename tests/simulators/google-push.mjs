// Push requests as Pub/Sub makes them, with a token signed by a throw-away key of our own.
import { createPrivateKey, createPublicKey, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { SignJWT, exportJWK } from "jose";
import { all, post } from "./provider.mjs";

const KID = "hearken-test-1";
const read = (name) => createPrivateKey(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));
const key = read("push-key.pem");
const other = read("other-key.pem");

/** The keys that tokens are verified with, as https://www.googleapis.com/oauth2/v3/certs has them. */
export async function jwks() {
  return { keys: [{ ...(await exportJWK(createPublicKey(key))), kid: KID, alg: "RS256", use: "sig" }] };
}

/** A token of a push subscription; `tamper` forges it in one of the ways a receiver must notice. */
export async function token({ audience, service_account, tamper, age = 60 }) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    aud: tamper === "audience" ? "https://elsewhere.example/push" : audience, azp: "113774264463038321964",
    email: tamper === "account" ? "other@their-project.iam.gserviceaccount.com" : service_account,
    email_verified: tamper !== "unverified", exp: now - age + 3600, iat: now - age,
    iss: tamper === "issuer" ? "https://evil.example" : "https://accounts.google.com", sub: "113774264463038321964",
  };
  if (tamper === "expired") Object.assign(claims, { iat: now - 7200, exp: now - 3600 });
  if (tamper === "none") return `${part({ alg: "none", typ: "JWT", kid: KID })}.${part(claims)}.`;
  const header = { alg: "RS256", typ: "JWT", kid: tamper === "kid" ? "unknown" : KID };
  const signed = await new SignJWT(claims).setProtectedHeader(header).sign(tamper === "key" || tamper === "kid" ? other : key);
  if (tamper !== "claims") return signed;
  const [head, , signature] = signed.split(".");
  return [head, part({ ...claims, email_verified: true, sub: "1" }), signature].join(".");
}

const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");

/** Sends a notice of a mailbox, `count` times, and tells how each was answered. */
export async function push({ endpoint, audience = endpoint, email, history_id, message_id, text_id = false, count = 1, concurrency = 1, ...how }) {
  const data = Buffer.from(JSON.stringify({ emailAddress: email, historyId: text_id ? String(history_id) : history_id }));
  const messageId = message_id ?? String(7_514_282_600_000_000 + randomInt(100_000_000));
  const publishTime = new Date().toISOString();
  const message = { data: data.toString(text_id ? "base64url" : "base64"), messageId, message_id: messageId, publishTime, publish_time: publishTime };
  const body = `${JSON.stringify({ message, subscription: "projects/my-project/subscriptions/gmail-push" })}\n`;
  const headers = {
    "content-type": "application/json", accept: "application/json", from: "noreply@google.com",
    "user-agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
  };
  if (how.tamper !== "missing") headers.authorization = `Bearer ${await token({ audience, ...how })}`;
  const answers = await all(Array.from({ length: count }), concurrency, () => post(endpoint, headers, body));
  return answers.map(({ status, body: answered }) => ({ status, body: answered, message_id: messageId }));
}
