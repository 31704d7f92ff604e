// A form of settings: what was changed is checked, sent in one request, and told about.

import { RefusedError } from "../core/conversation.js";
import { causeOf, doing, Report } from "./report.js";
import { Field } from "./fields.js";
import { h, reveal } from "./dom.js";

/** Settings that are entered and sent together. */
export class SettingsForm {
  #model;
  #onDone;
  #also;
  #send = h("button", { type: "submit", class: "main", said: "form.save" });
  report = new Report();
  /** Setting to its field. */
  fields;

  /**
   * `rows` has the names of settings, and elements to stand between them. `onDone` is called
   * once everything is stored. `also(changes)` gives what else must change with them.
   */
  constructor(model, rows, onDone, { also = () => ({}) } = {}) {
    this.#model = model;
    this.#onDone = onDone;
    this.#also = also;
    this.fields = new Map();
    const parts = rows.map((row) => (typeof row === "string" ? this.#field(row) : row(this)));
    const submit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    this.element = h(
      "form",
      { novalidate: true, on: { submit } },
      ...parts,
      h("div", { class: "actions" }, this.#send),
      this.report.element,
    );
  }

  #field(name) {
    const field = new Field(name);
    this.fields.set(name, field);
    return field.element;
  }

  /** A group of fields that is folded away. */
  static folded(said, names) {
    return (form) =>
      h("details", {}, h("summary", { said }), ...names.map((name) => form.#field(name)));
  }

  get isTouched() {
    return [...this.fields.values()].some((field) => field.isTouched);
  }

  /** Shows what is in force; what somebody is just entering stays, unless `isForced`. */
  show(settings, isForced = false) {
    for (const [name, field] of this.fields) {
      const setting = settings[name];
      reveal(field.element, setting !== undefined);
      if (setting !== undefined && (isForced || !field.isTouched)) field.show(setting);
    }
    reveal(this.#send, [...this.fields.values()].some((field) => !field.isLocked));
  }

  async #submit() {
    const wrong = [...this.fields.values()].filter((field) => !field.check());
    if (wrong.length) {
      this.#pointAt(wrong[0]);
      return;
    }
    const entered = [...this.fields].map(([name, field]) => [name, field.change]);
    const changes = Object.fromEntries(entered.filter(([, value]) => value !== undefined));
    if (!Object.keys(changes).length) {
      this.report.clear();
      this.#onDone(false);
      return;
    }
    const values = { ...this.#also(changes), ...changes };
    const isDone = await doing(this.report, [this.#send], "form.saving", (onProgress) =>
      this.#store(values, onProgress),
    );
    if (isDone) {
      this.report.succeeded("form.saved");
      this.#onDone(true);
    }
  }

  async #store(values, onProgress) {
    try {
      const answer = await this.#model.ask("settings.set", { values }, onProgress);
      this.#model.update({ settings: answer.settings });
      this.show(answer.settings, true);
    } catch (error) {
      const field = error instanceof RefusedError && this.fields.get(error.key);
      if (field) {
        field.fail(causeOf(error));
        this.#pointAt(field);
      }
      throw error;
    }
  }

  #pointAt(field) {
    const folded = field.element.closest("details");
    if (folded) folded.open = true;
    field.focus();
  }
}
