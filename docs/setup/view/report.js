// What became of something that was asked for: progress, success, cause of failure, in words.

import { RefusedError } from "../core/conversation.js";
import { SessionEndedError } from "../core/session.js";
import { clear, has, put } from "../texts.js";
import { h, reveal } from "./dom.js";

/** The text's key and values for a failure. */
export function causeOf(error) {
  if (error instanceof RefusedError) {
    const key = `code.${error.code}`;
    const values = { code: error.code };
    return has(key) ? [key, values] : ["code.unknown", values];
  }
  if (error instanceof SessionEndedError) {
    const values = { seconds: error.seconds, minutes: Math.ceil(error.seconds / 60) };
    const key = error.why === "locked" && error.seconds > 90 ? "end.locked-long" : null;
    return [key ?? `end.${error.why}`, values];
  }
  if (error instanceof RangeError) return ["code.too-long", {}];
  throw error;
}

/** A place below a form where its outcome is told, also to those who do not see it. */
export class Report {
  #progress = h("p", { class: "progress-words" });
  #bar = h("progress", { saidAs: { "aria-label": "work.bar" } });
  #good = h("p", { class: "good" });
  #bad = h("p", { class: "bad-words" });
  #device = h("p", { class: "device-says", lang: "en" });
  #more = h(
    "details",
    { class: "device-more" },
    h("summary", { said: "report.device" }),
    this.#device,
  );
  #status = h("div", { role: "status" }, this.#progress, this.#good);
  #alert = h("div", { role: "alert", class: "bad", tabindex: "-1" }, this.#bad);

  element = h("div", { class: "report" }, this.#status, this.#bar, this.#alert, this.#more);

  constructor() {
    this.clear();
  }

  clear() {
    for (const place of [this.#progress, this.#good, this.#bad]) clear(place);
    for (const place of [this.#bar, this.#more, this.#alert]) reveal(place, false);
  }

  working(key, values) {
    this.clear();
    reveal(this.#bar, true);
    put(this.#progress, key, values);
  }

  succeeded(key, values) {
    this.clear();
    put(this.#good, key, values);
  }

  failed(error) {
    this.clear();
    reveal(this.#alert, true);
    put(this.#bad, ...causeOf(error));
    const text = error instanceof RefusedError ? error.text : "";
    this.#device.textContent = text;
    reveal(this.#more, text !== "");
  }
}

/**
 * Does `work` while its button is off and `report` tells. Gives whether it succeeded; failures
 * of the device or the link are told, bugs are thrown on.
 */
export async function doing(report, buttons, key, work) {
  report.working(key);
  const focused = document.activeElement;
  for (const one of buttons) one.disabled = true;
  try {
    await work((word) => has(`progress.${word}`) && report.working(`progress.${word}`));
    return true;
  } catch (error) {
    report.failed(error);
    return false;
  } finally {
    for (const one of buttons) one.disabled = false;
    if (buttons.includes(focused) && document.activeElement === document.body) focused.focus();
  }
}
