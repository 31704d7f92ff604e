// Keeps one conversation with the chosen device alive, as far as that makes sense.

import { Conversation } from "./core/conversation.js";
import { SessionEndedError } from "./core/session.js";
import { BluetoothLink } from "./link.js";

/** After these ends the same code on the same device may work again. */
const PASSING = new Set(["lost", "timeout", "silent", "broken", "protocol", "unreachable"]);
const FIRST_PAUSES_MS = [0, 800];
const LATER_PAUSES_MS = [500, 2000, 5000, 8000];

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Tells "change" whenever `phase` is another one: `idle`, `connecting`, `open`, `again` (a lost
 * session is being taken up) or `over`; `why` is the SessionEndedError of the latter.
 */
export class Connection extends EventTarget {
  #device = null;
  #key = null;
  #conversation = null;
  #generation = 0;

  phase = "idle";
  why = null;

  /** The conversation, while the phase is `open`. */
  get conversation() {
    return this.#conversation;
  }

  /** Connects to a device with a key; the outcome is the phase. */
  async connect(device, key) {
    this.#device = device;
    this.#key = key;
    await this.#try("connecting", FIRST_PAUSES_MS);
  }

  /** Connects to the same device once more. */
  async again() {
    await this.#try("again", FIRST_PAUSES_MS);
  }

  /** Ends what there is; `why` is told, if anything. */
  leave(why = null) {
    this.#generation += 1;
    this.#conversation?.close();
    this.#conversation = null;
    this.#become(why === null ? "idle" : "over", why);
  }

  async #try(phase, pausesMs) {
    this.#generation += 1;
    const generation = this.#generation;
    this.#become(phase);
    let why = null;
    for (const milliseconds of pausesMs) {
      await pause(milliseconds);
      if (generation !== this.#generation) return;
      try {
        const conversation = await this.#open();
        if (generation !== this.#generation) {
          conversation.close();
          return;
        }
        this.#begun(conversation);
        return;
      } catch (error) {
        if (!(error instanceof SessionEndedError)) throw error;
        why = error;
        if (!PASSING.has(error.why)) break;
      }
    }
    if (generation === this.#generation) this.#become("over", why);
  }

  async #open() {
    const link = await BluetoothLink.open(this.#device);
    return Conversation.open(link, this.#key);
  }

  #begun(conversation) {
    this.#conversation = conversation;
    conversation.onEnded = (why) => {
      if (this.#conversation !== conversation) return;
      this.#conversation = null;
      if (PASSING.has(why.why)) this.#try("again", LATER_PAUSES_MS);
      else this.#become("over", why);
    };
    this.#become("open");
  }

  #become(phase, why = null) {
    this.phase = phase;
    this.why = why;
    this.dispatchEvent(new Event("change"));
  }
}
