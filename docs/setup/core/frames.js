// Messages cut into frames that fit a link, and put together again.
// docs/setup-protocol.md, section 3.

import { HANDSHAKE_OCTETS, TAG_OCTETS } from "./noise.js";
import { join } from "./octets.js";

const HEADER = 2;
const LAST = 0x80;
const KIND_BITS = 0x07;
const NUMBERS = 256;

export const LONGEST_FRAME = 244;
export const SMALLEST_FRAME = 20;
export const LONGEST_TEXT = 4096;
/** A message that is not continued within this ends the session. */
export const SILENCE_MS = 5000;

export const Kind = Object.freeze({ FIRST: 1, SECOND: 2, TRANSPORT: 3, END: 4 });

/** How many octets a message of each kind has: the least and the most. */
const LENGTHS = Object.freeze({
  [Kind.FIRST]: [1 + HANDSHAKE_OCTETS, 1 + HANDSHAKE_OCTETS],
  [Kind.SECOND]: [HANDSHAKE_OCTETS, HANDSHAKE_OCTETS],
  [Kind.TRANSPORT]: [TAG_OCTETS + 1, LONGEST_TEXT + TAG_OCTETS],
  [Kind.END]: [5, 5],
});

/** A frame breaks the protocol. */
export class WireError extends Error {}

/** Cuts messages into frames and numbers them, from 0 for each session. */
export class Cutter {
  #number = 0;

  /** The frames of a message, none longer than `room` octets. */
  cut(kind, octets, room) {
    const piece = room - HEADER;
    const frames = [];
    for (let start = 0; start < octets.length; start += piece) {
      const last = start + piece >= octets.length ? LAST : 0;
      const header = Uint8Array.of(kind | last, this.#number);
      frames.push(join(header, octets.subarray(start, start + piece)));
      this.#number = (this.#number + 1) % NUMBERS;
    }
    return frames;
  }
}

/** Puts frames together. Holds at most one message; one that broke a rule is the last. */
export class Joiner {
  #kind = null;
  #pieces = [];
  #length = 0;
  #number = 0;

  /** Whether a message has begun and is not whole yet. */
  get isWaiting() {
    return this.#kind !== null;
  }

  /** The message `{kind, octets}` that a frame completes, or null. Throws WireError. */
  receive(frame, expected) {
    const { kind, isLast, number, piece } = parts(frame);
    if (number !== this.#number) throw new WireError(`frame ${number} for ${this.#number}`);
    if (!expected.includes(kind)) throw new WireError(`kind ${kind} does not belong here`);
    this.#kind ??= kind;
    if (kind !== this.#kind) throw new WireError("pieces of two messages are mixed");
    const [least, most] = LENGTHS[kind];
    if (this.#length + piece.length > most) throw new WireError("a message is too long");
    this.#number = (number + 1) % NUMBERS;
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (!isLast) return null;
    if (this.#length < least) throw new WireError("a message is too short");
    const message = { kind, octets: join(...this.#pieces) };
    this.#kind = null;
    this.#pieces = [];
    this.#length = 0;
    return message;
  }
}

/** Whether a frame from the device is the first one of a new session. */
export function answersSession(frame) {
  const kind = frame[0] & ~LAST;
  return frame.length > HEADER && (kind === Kind.SECOND || kind === Kind.END) && frame[1] === 0;
}

function parts(frame) {
  if (frame.length <= HEADER || frame.length > LONGEST_FRAME) {
    throw new WireError(`a frame has ${frame.length} octets`);
  }
  const kind = frame[0] & KIND_BITS;
  if (!(kind in LENGTHS)) throw new WireError("a frame is of no known kind");
  if (frame[0] & ~(KIND_BITS | LAST)) throw new WireError("a frame has unknown flags");
  return {
    kind,
    isLast: (frame[0] & LAST) !== 0,
    number: frame[1],
    piece: frame.slice(HEADER),
  };
}
