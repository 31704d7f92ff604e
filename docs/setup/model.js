// What the page knows of the device just now.

import { SessionEndedError } from "./core/session.js";

const STATUS_PAUSE_MS = 2000;

/** Tells "change" with the names of the parts that are new in `detail`. */
export class Model extends EventTarget {
  #connection;
  #generation = 0;

  hello = null;
  settings = {};
  status = null;

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
    try {
      const { settings } = await conversation.ask("settings.get");
      this.update({ settings });
      while (generation === this.#generation) {
        this.update({ status: await conversation.ask("status") });
        await new Promise((resolve) => setTimeout(resolve, STATUS_PAUSE_MS));
      }
    } catch (error) {
      // The connection tells why it has ended.
      if (!(error instanceof SessionEndedError)) throw error;
    }
  }
}
