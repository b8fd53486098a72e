// A mailbox with a history, as Gmail keeps one: ids grow with gaps between them, records of the
// past are forgotten, and a message that is gone leaves only its id.
import { randomBytes } from "node:crypto";

const KINDS = { messageAdded: "messagesAdded", messageDeleted: "messagesDeleted", labelAdded: "labelsAdded", labelRemoved: "labelsRemoved" };

export class Mailbox {
  constructor(email) {
    Object.assign(this, { email, id: 1_006_000, floor: 0, records: [], messages: new Map(), empty: 0, watched: undefined, watches: 0, stops: 0 });
  }

  profile() {
    return { emailAddress: this.email, messagesTotal: this.messages.size, threadsTotal: this.messages.size, historyId: String(this.id) };
  }

  shown() {
    const { email, id, watched, watches, stops } = this;
    return { email, history_id: id, watch: this.isWatched() ? watched : null, watches, stops };
  }

  watch(topic, expiration) {
    this.watched = { topic, expiration };
    this.watches += 1;
  }

  stop() {
    this.watched = undefined;
    this.stops += 1;
  }

  isWatched() {
    return this.watched !== undefined && this.watched.expiration > Date.now();
  }

  forget() {
    this.floor = this.id;
    this.next();
  }

  next() {
    this.id += 1 + Math.floor(Math.random() * 40);
    return this.id;
  }

  /** `{ add: { labels?, subject?, from?, count? } }`, `{ label: { id, add?, remove? } }` or `{ remove: id }`. */
  change({ add, label, remove }) {
    if (add) return { ids: Array.from({ length: add.count ?? 1 }, () => this.add(add)) };
    if (label) return this.label(label);
    const message = this.messages.get(remove);
    this.messages.delete(remove);
    this.record({ messagesDeleted: [{ message: brief(message) }] }, message);
    return { ids: [remove] };
  }

  add({ labels = ["INBOX", "UNREAD"], subject = "Engines", from = "Charles <charles@example.com>" }) {
    const id = randomBytes(8).toString("hex");
    const message = { id, threadId: id, labelIds: labels, subject, from, internalDate: String(Date.now()) };
    this.messages.set(id, message);
    this.record({ messagesAdded: [{ message: brief(message) }] }, message);
    return id;
  }

  label({ id, add = [], remove = [] }) {
    const message = this.messages.get(id);
    message.labelIds = [...message.labelIds.filter((one) => !remove.includes(one)), ...add];
    if (add.length) this.record({ labelsAdded: [{ message: brief(message), labelIds: add }] }, message);
    if (remove.length) this.record({ labelsRemoved: [{ message: brief(message), labelIds: remove }] }, message);
    return { ids: [id] };
  }

  record(change, { id, threadId }) {
    this.records.push({ id: this.next(), messages: [{ id, threadId }], ...change });
  }

  /** One page of users.history.list; "gone" where the start is too old, "token" for a bad token. */
  history(start, { types, label, size, token }) {
    if (start < this.floor) return "gone";
    const page = token === null ? { from: start, empty: 0 } : decode(token);
    if (page?.from === undefined) return "token";
    const historyId = String(this.id);
    if (page.empty < this.empty) return { nextPageToken: encode({ from: page.from, empty: page.empty + 1 }), historyId };
    const members = types.length ? types.map((type) => KINDS[type]) : Object.values(KINDS);
    const wanted = this.records.filter((record) => record.id > page.from && members.some((member) => record[member]))
      .filter((record) => !label || members.some((member) => record[member]?.some(({ message }) => message.labelIds?.includes(label))));
    const shown = wanted.slice(0, size).map((record) => this.now(record));
    if (!shown.length) return { historyId };
    const nextPageToken = wanted.length > size ? encode({ from: Number(shown.at(-1).id), empty: this.empty }) : undefined;
    return { history: shown, nextPageToken, historyId };
  }

  /** A record as Gmail tells it now: of a message that is gone, labels are no longer known. */
  now({ id, ...record }) {
    const told = structuredClone(record);
    for (const { message } of told.messagesAdded ?? []) if (!this.messages.has(message.id)) delete message.labelIds;
    return { id: String(id), ...told };
  }

  list(labels, size, token) {
    const from = token === null ? 0 : decode(token).from;
    const found = [...this.messages.values()].reverse().filter((message) => labels.every((label) => message.labelIds.includes(label)));
    const messages = found.slice(from, from + size).map(({ id, threadId }) => ({ id, threadId }));
    const nextPageToken = found.length > from + size ? encode({ from: from + size }) : undefined;
    return { messages: messages.length ? messages : undefined, nextPageToken, resultSizeEstimate: found.length };
  }

  message(id, format, wanted) {
    const found = this.messages.get(id);
    if (!found) return undefined;
    const { subject, from, internalDate, ...message } = found;
    const headers = [{ name: "From", value: from }, { name: "To", value: this.email }, { name: "Subject", value: subject }, { name: "Message-ID", value: `<${id}@example.com>` }];
    const kept = wanted.length ? headers.filter(({ name }) => wanted.includes(name)) : headers;
    const whole = { ...message, snippet: "We may say most aptly", historyId: String(this.id), internalDate, sizeEstimate: 2048 };
    return format === "minimal" ? whole : { ...whole, payload: { partId: "", mimeType: "text/plain", filename: "", headers: kept } };
  }
}

const brief = ({ id, threadId, labelIds }) => ({ id, threadId, labelIds: [...labelIds] });
const encode = (page) => Buffer.from(JSON.stringify(page)).toString("base64url");
const decode = (token) => {
  try {
    return JSON.parse(Buffer.from(token, "base64url"));
  } catch {
    return undefined;
  }
};
