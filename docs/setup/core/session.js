// A client's side of one session with one device: frames in, frames and messages out.
// docs/setup-protocol.md, sections 2, 3, 5 and 6.

import { answersSession, Cutter, Joiner, Kind, WireError } from "./frames.js";
import { LONGEST_FRAME, LONGEST_TEXT, SMALLEST_FRAME } from "./frames.js";
import { Initiator, NotAuthenticError } from "./noise.js";
import { fromUtf8, join, utf8 } from "./octets.js";

const VERSIONS = [1];
const MESSAGES = 1;
const MOST_VERSIONS = 16;
const FROM_DEVICE = [Kind.SECOND, Kind.TRANSPORT, Kind.END];

/** Why a session is over: the codes of a message of kind 4. */
export const ENDS = Object.freeze({
  1: "wrong-code",
  2: "locked",
  3: "protocol",
  4: "timeout",
  5: "closed",
  6: "version",
  7: "reset",
});

/**
 * The session is over. `why` is one of ENDS, or what this side has found: `impostor` (whoever
 * answers does not know the code), `broken`. `seconds` is how long to wait, 0 for not said.
 */
export class SessionEndedError extends Error {
  constructor(why, seconds = 0, detail = "") {
    super(detail || why);
    this.why = why;
    this.seconds = seconds;
  }
}

/** What the device says in clear: hints, never a ground to trust it. Throws SessionEndedError. */
export function parseInfo(octets) {
  let said;
  try {
    said = JSON.parse(fromUtf8(octets));
  } catch {
    throw new SessionEndedError("broken", 0, "its information is not JSON");
  }
  const versions = Array.isArray(said?.v) ? said.v : [];
  const isVersion = (version) => Number.isInteger(version) && version > 0 && version < 256;
  if (!versions.length || versions.length > MOST_VERSIONS || !versions.every(isVersion)) {
    throw new SessionEndedError("broken", 0, "its information names no versions");
  }
  const whole = (value, otherwise) => (Number.isInteger(value) && value > 0 ? value : otherwise);
  return {
    versions,
    name: typeof said.name === "string" ? said.name.slice(0, 64) : "",
    frame: Math.max(whole(said.frame, SMALLEST_FRAME), SMALLEST_FRAME),
    busy: said.busy === true,
    lockedS: whole(said.locked_s, 0),
  };
}

/** Calls of `received` must not overlap, nor those of `begin` and `request`. */
export class ClientSession {
  #version;
  #room;
  #handshake;
  #cutter = new Cutter();
  #joiner = new Joiner();
  #heard = false;
  #send = null;
  #receive = null;
  #lastId = 0;

  /** `key` has 32 octets; `ephemeral` is for tests alone. Throws SessionEndedError. */
  constructor(key, info, ephemeral = null) {
    const common = info.versions.filter((version) => VERSIONS.includes(version));
    if (!common.length) throw new SessionEndedError("version");
    this.#version = Math.max(...common);
    this.#room = Math.min(info.frame, LONGEST_FRAME);
    const prologue = join(
      utf8("sensed-setup"),
      Uint8Array.of(this.#version),
      Uint8Array.from(info.versions),
    );
    this.#handshake = new Initiator(key, prologue, ephemeral);
  }

  /** Whether the device has proved to know the code. */
  get isVerified() {
    return this.#send !== null;
  }

  /** Whether a message from the device has begun and is not whole yet. */
  get isWaiting() {
    return this.#joiner.isWaiting;
  }

  /** The handshake's hash. */
  get hash() {
    return this.#handshake.hash;
  }

  /** The frames of the first message. */
  async begin() {
    const first = await this.#handshake.begin();
    return this.#cut(Kind.FIRST, join(Uint8Array.of(this.#version), first));
  }

  /** A request's number and its frames; only once `isVerified`. Throws RangeError: too long. */
  async request(what, args = {}) {
    const id = this.#lastId + 1;
    const text = utf8(JSON.stringify({ v: MESSAGES, id, do: what, ...args }));
    if (text.length > LONGEST_TEXT) throw new RangeError("the request is too long");
    this.#lastId = id;
    return { id, frames: this.#cut(Kind.TRANSPORT, await this.#send.encrypt(text)) };
  }

  /**
   * The progress, answer or refusal that a frame completes, or null. Throws SessionEndedError;
   * nothing that comes later is to be trusted.
   */
  async received(frame) {
    if (!this.#heard && !answersSession(frame)) return null;
    this.#heard = true;
    try {
      const message = this.#joiner.receive(frame, FROM_DEVICE);
      return message === null ? null : await this.#take(message);
    } catch (error) {
      if (error instanceof NotAuthenticError) {
        throw new SessionEndedError(this.isVerified ? "broken" : "impostor");
      }
      if (error instanceof WireError) throw new SessionEndedError("broken", 0, error.message);
      throw error;
    }
  }

  async #take({ kind, octets }) {
    if (kind === Kind.END) {
      const seconds = new DataView(octets.buffer).getUint32(1);
      throw new SessionEndedError(ENDS[octets[0]] ?? "broken", seconds);
    }
    if (kind === Kind.SECOND) {
      if (this.#receive !== null) throw new WireError("a second handshake");
      const { send, receive } = await this.#handshake.finish(octets);
      this.#send = send;
      this.#receive = receive;
      return null;
    }
    if (this.#receive === null) throw new WireError("a transport message before the handshake");
    return decode(await this.#receive.decrypt(octets));
  }

  #cut(kind, octets) {
    return this.#cutter.cut(kind, octets, this.#room);
  }
}

function decode(octets) {
  let message;
  try {
    message = JSON.parse(fromUtf8(octets));
  } catch {
    throw new WireError("a message is not JSON");
  }
  if (message === null || typeof message !== "object" || Array.isArray(message)) {
    throw new WireError("a message is no JSON object");
  }
  return message;
}
