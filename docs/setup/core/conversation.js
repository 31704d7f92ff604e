// Requests and answers over one link: handshake, deadlines, one request at a time.
// docs/setup-protocol.md, sections 3, 5 and 6. The link is handed in; see ../link.js.

import { SILENCE_MS } from "./frames.js";
import { ClientSession, parseInfo, SessionEndedError } from "./session.js";

const HANDSHAKE_MS = 10_000;
/** How much later than the device's own deadline an answer may come. */
const GRACE_MS = 10_000;

/** The device's deadlines, and what may be asked while another request is worked on. */
export const REQUESTS = Object.freeze({
  hello: { limitS: 1 },
  status: { limitS: 5, always: true },
  identify: { limitS: 1, always: true },
  "wifi.scan": { limitS: 25 },
  "wifi.join": { limitS: 90 },
  "settings.get": { limitS: 1 },
  "settings.set": { limitS: 45 },
  "broker.suggest": { limitS: 15 },
  finish: { limitS: 1 },
  reset: { limitS: 30 },
});

/** The device does not fulfil a request: a stable code, its own sentence, the setting meant. */
export class RefusedError extends Error {
  constructor({ code, text, key }) {
    super(`refused: ${code}`);
    this.code = typeof code === "string" ? code : "failed";
    this.text = typeof text === "string" ? text : "";
    this.key = typeof key === "string" ? key : "";
  }
}

/** A promise that does not wait longer; `late` is thrown then. */
export async function within(milliseconds, promise, late) {
  let timer;
  const alarm = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds);
  });
  try {
    return await Promise.race([promise, alarm]);
  } finally {
    clearTimeout(timer);
  }
}

/** One session on one link, from the handshake to its end. */
export class Conversation {
  #link;
  #session;
  #pending = new Map();
  #incoming = Promise.resolve();
  #outgoing = Promise.resolve();
  #turn = Promise.resolve();
  #silence = null;
  #ended = null;
  #verified = resolvers();

  /** Called once, with a SessionEndedError, when a session that had begun is over. */
  onEnded = () => {};
  /** What the device says of itself once it is trusted. */
  hello = null;

  /**
   * Shakes hands. `link` has `readInfo()`, `write(frame)`, `close()` and calls `onFrame` and
   * `onLost`. Throws SessionEndedError; the link is closed then.
   */
  static async open(link, key) {
    const conversation = new Conversation(link);
    try {
      await conversation.#begin(key);
    } catch (error) {
      const why = ended(error);
      conversation.#end(why);
      throw why;
    }
    return conversation;
  }

  constructor(link) {
    this.#link = link;
    link.onFrame = (frame) => {
      this.#incoming = this.#incoming.then(() => this.#received(frame));
    };
    link.onLost = () => this.#end(new SessionEndedError("lost"));
  }

  /**
   * Asks and gives the answer; `onProgress` is told each word of progress.
   * Throws RefusedError, SessionEndedError, RangeError for a request that is too long.
   */
  ask(what, args = {}, onProgress = () => {}) {
    const rule = REQUESTS[what];
    if (rule.always) return this.#ask(what, args, onProgress, rule.limitS);
    const answer = this.#turn.then(() => this.#ask(what, args, onProgress, rule.limitS));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  /** Ends the session from this side. */
  close() {
    this.#ended ??= new SessionEndedError("left");
    this.#settle();
    this.#link.close();
  }

  async #begin(key) {
    const info = parseInfo(await this.#link.readInfo());
    this.#session = new ClientSession(key, info);
    try {
      await this.#write(await this.#session.begin());
    } catch (error) {
      if (this.#ended) throw this.#ended;
      throw await this.#refusal(error);
    }
    const late = () => new SessionEndedError("timeout");
    await within(HANDSHAKE_MS, this.#verified.promise, late);
    this.hello = await this.ask("hello");
  }

  /** Why the device did not even take the first message. */
  async #refusal(error) {
    try {
      const info = parseInfo(await this.#link.readInfo());
      return new SessionEndedError(info.busy ? "occupied" : "not-open");
    } catch {
      return error;
    }
  }

  async #ask(what, args, onProgress, limitS) {
    const answer = resolvers();
    let id = null;
    try {
      await this.#inTurn(async () => {
        if (this.#ended) throw this.#ended;
        const asked = await this.#session.request(what, args);
        id = asked.id;
        this.#pending.set(id, { ...answer, onProgress });
        await this.#write(asked.frames);
      });
      const late = () => new SessionEndedError("silent");
      return await within(1000 * limitS + GRACE_MS, answer.promise, late);
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      const why = this.#ended ?? ended(error);
      this.#end(why);
      throw why;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Messages are numbered and encrypted in the order in which they are written. */
  #inTurn(work) {
    const done = this.#outgoing.then(work);
    this.#outgoing = done.catch(() => {});
    return done;
  }

  async #write(frames) {
    for (const frame of frames) await this.#link.write(frame);
  }

  async #received(frame) {
    if (this.#ended) return;
    clearTimeout(this.#silence);
    try {
      const message = await this.#session.received(frame);
      if (this.#session.isVerified) this.#verified.resolve();
      if (message !== null) this.#deliver(message);
    } catch (error) {
      this.#end(ended(error));
      return;
    }
    if (this.#session.isWaiting) {
      const late = () => this.#end(new SessionEndedError("silent"));
      this.#silence = setTimeout(late, SILENCE_MS);
    }
  }

  #deliver(message) {
    const asked = this.#pending.get(message.id);
    if (message.id === -1) {
      for (const { reject } of this.#pending.values()) reject(new RefusedError(message));
    } else if (asked === undefined) {
      return;
    } else if (message.ok === true) {
      asked.resolve(message);
    } else if (message.ok === false) {
      asked.reject(new RefusedError(message));
    } else if (typeof message.progress === "string") {
      asked.onProgress(message.progress);
    }
  }

  #end(why) {
    if (this.#ended) return;
    this.#ended = why;
    this.#settle();
    this.#link.close();
    if (this.hello !== null) this.onEnded(why);
  }

  #settle() {
    clearTimeout(this.#silence);
    this.#verified.reject(this.#ended);
    for (const { reject } of this.#pending.values()) reject(this.#ended);
  }
}

/** Whatever went wrong on the link, as the end of the session; bugs are thrown on. */
function ended(error) {
  if (error instanceof SessionEndedError) return error;
  if (error instanceof RefusedError) return new SessionEndedError("broken", 0, error.text);
  if (error instanceof DOMException) return new SessionEndedError("lost", 0, error.message);
  throw error;
}

/** A promise with its ends; nobody has to wait for it. */
function resolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {});
  return made;
}
