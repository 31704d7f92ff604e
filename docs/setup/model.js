// What the page knows of the device just now.

import { RefusedError } from "./core/conversation.js";
import { SessionEndedError } from "./core/session.js";

const STATUS_PAUSE_MS = 2000;

/** Tells "change" with the names of the parts that are new in `detail`. */
export class Model extends EventTarget {
  #connection;
  #generation = 0;

  hello = null;
  settings = {};
  status = null;
  /** Why the device does not tell its settings or state, or null. */
  trouble = null;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener("change", () => this.#connectionChanged());
  }

  get isOpen() {
    return this.#connection.phase === "open";
  }

  /** Asks the device. Throws RefusedError, SessionEndedError, RangeError. */
  async ask(what, args, onProgress) {
    const { conversation } = this.#connection;
    if (conversation === null) throw new SessionEndedError("lost");
    return conversation.ask(what, args, onProgress);
  }

  update(parts) {
    Object.assign(this, parts);
    this.dispatchEvent(new CustomEvent("change", { detail: Object.keys(parts) }));
  }

  async #connectionChanged() {
    this.#generation += 1;
    if (!this.isOpen) return;
    const generation = this.#generation;
    const { conversation } = this.#connection;
    this.update({ hello: conversation.hello });
    let isTold = false;
    while (generation === this.#generation) {
      try {
        if (!isTold) this.update({ settings: await settingsOf(conversation) });
        isTold = true;
        this.update({ status: await conversation.ask("status"), trouble: null });
      } catch (error) {
        // The connection tells why it has ended.
        if (error instanceof SessionEndedError) return;
        if (!(error instanceof RefusedError)) throw error;
        this.update({ trouble: error });
      }
      await new Promise((resolve) => setTimeout(resolve, STATUS_PAUSE_MS));
    }
  }
}

async function settingsOf(conversation) {
  const { settings } = await conversation.ask("settings.get");
  return settings;
}
