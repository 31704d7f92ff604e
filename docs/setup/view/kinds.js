// The controls that settings are entered with. Each has `value` (null for nothing), `raw` (what
// it looks like untouched), `fault()` ([key, values] or null), `mark(isWrong)`, and `focus()`.

import { currentLanguage, formatted, put } from "../texts.js";
import { freshId, h, reveal } from "./dom.js";

const DAY = /^([01]\d|2[0-3]):[0-5]\d$/;
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;
const DEFAULT_NIGHT = ["22:00", "06:30"];

const PLAIN = { autocapitalize: "none", autocorrect: "off", spellcheck: "false" };

class Control {
  id = freshId();
  labelId = freshId();
  isGroup = false;

  get raw() {
    return this.input.value;
  }

  fault() {
    return null;
  }

  mark(isWrong) {
    if (isWrong) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  focus() {
    this.input.focus();
  }
}

class Text extends Control {
  constructor(rule, described, attributes = {}) {
    super();
    this.rule = rule;
    this.input = h("input", {
      id: this.id,
      type: "text",
      autocomplete: "off",
      maxlength: rule.most ?? null,
      "aria-describedby": described,
      ...(rule.isAddress ? PLAIN : {}),
      ...attributes,
    });
    this.element = this.input;
  }

  get value() {
    return this.input.value.trim() || null;
  }

  set value(value) {
    this.input.value = value ?? "";
  }

  fault() {
    const { value } = this;
    if (value !== null && !PRINTABLE.test(value)) return ["fault.text", {}];
    return null;
  }
}

class Numeric extends Text {
  constructor(rule, described) {
    const inputmode = rule.kind === "integer" ? "numeric" : "decimal";
    super({ ...rule, most: null }, described, { inputmode, class: "short" });
    this.bounds = rule;
  }

  get value() {
    const text = this.input.value.trim().replace(",", ".");
    if (text === "") return null;
    return /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  }

  set value(value) {
    const text = value === null ? "" : String(value);
    this.input.value = currentLanguage() === "en" ? text : text.replace(".", ",");
  }

  fault() {
    const { value } = this;
    const { least, most, kind } = this.bounds;
    const isWhole = kind !== "integer" || Number.isInteger(value);
    if (value === null || (value >= least && value <= most && isWhole)) return null;
    return [`fault.${kind}`, { least, most: String(most) }];
  }
}

class Hidden extends Text {
  constructor(rule, described) {
    super(rule, described, { type: "password", autocomplete: "new-password", ...PLAIN });
    const id = freshId();
    this.eye = h("button", {
      type: "button",
      class: "eye",
      id,
      "aria-labelledby": `${id} ${this.labelId}`,
      said: "secret.show",
      on: { click: () => this.toggle() },
    });
    this.element = h("div", { class: "with-button" }, this.input, this.eye);
  }

  toggle() {
    const isHidden = this.input.type === "password";
    this.input.type = isHidden ? "text" : "password";
    put(this.eye, isHidden ? "secret.hide" : "secret.show");
  }

  get value() {
    return this.input.value || null;
  }

  set value(value) {
    this.input.value = value ?? "";
    if (value === null && this.input.type !== "password") this.toggle();
  }

  fault() {
    return null;
  }
}

class Key extends Hidden {
  get value() {
    return this.input.value.replace(/[\s:-]/g, "") || null;
  }

  set value(value) {
    super.value = value;
  }

  fault() {
    return this.value === null || /^[0-9a-f]{32}$/i.test(this.value) ? null : ["fault.key", {}];
  }
}

class Certificates extends Text {
  constructor(rule, described) {
    super(rule, described);
    const attributes = { id: this.id, rows: "4", "aria-describedby": described, ...PLAIN };
    this.input = h("textarea", attributes);
    const file = h("input", {
      type: "file",
      accept: ".pem,.crt,.cer,application/x-pem-file",
      saidAs: { "aria-label": "certificates.file" },
      on: { change: () => this.read(file) },
    });
    this.element = h("div", { class: "certificates" }, this.input, file);
  }

  async read(file) {
    if (!file.files.length) return;
    // What is too long is told by fault(), without reading a film into memory.
    this.input.value = (await file.files[0].slice(0, 10 * this.rule.most).text()).trim();
    file.value = "";
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  fault() {
    const { value } = this;
    if (value === null) return null;
    if (value.length > this.rule.most) return ["fault.pem-long", { most: this.rule.most }];
    const isPem = /^[\x00-\x7f]*-----BEGIN CERTIFICATE-----[\x00-\x7f]*$/.test(value);
    return isPem ? null : ["fault.pem", {}];
  }
}

class Choice extends Control {
  constructor(name, rule, described) {
    super();
    this.choices = rule.choices;
    const options = rule.choices.map((choice, at) =>
      h("option", { value: String(at), said: `choice.${name}.${choice}` }),
    );
    const attributes = { id: this.id, "aria-describedby": described };
    this.input = this.element = h("select", attributes, ...options);
  }

  get value() {
    return this.choices[Number(this.input.value)] ?? null;
  }

  set value(value) {
    this.input.value = String(Math.max(this.choices.indexOf(value), 0));
  }
}

class Toggle extends Control {
  constructor(described) {
    super();
    const attributes = { type: "checkbox", id: this.id, "aria-describedby": described };
    this.input = this.element = h("input", attributes);
  }

  get raw() {
    return this.input.checked;
  }

  get value() {
    return this.input.checked;
  }

  set value(value) {
    this.input.checked = value === true;
  }
}

class Percent extends Control {
  constructor(described) {
    super();
    const attributes = { type: "range", id: this.id, min: "1", max: "100" };
    this.input = h("input", { ...attributes, "aria-describedby": described });
    this.output = h("output", { for: this.id });
    this.input.addEventListener("input", () => this.tell());
    this.element = h("div", { class: "with-button" }, this.input, this.output);
  }

  tell() {
    this.output.textContent = `${formatted(this.value)} %`;
    this.input.setAttribute("aria-valuetext", this.output.textContent);
  }

  get value() {
    return Number(this.input.value);
  }

  set value(value) {
    this.input.value = String(value ?? 100);
    this.tell();
  }
}

class Hours extends Control {
  isGroup = true;

  constructor(described) {
    super();
    const id = freshId();
    this.input = h("input", { type: "checkbox", id });
    const label = h("label", { for: id, said: "night.use" });
    this.times = ["night.from", "night.until"].map((said) => {
      const timeId = freshId();
      const input = h("input", { type: "time", id: timeId });
      return { input, element: h("div", {}, h("label", { for: timeId, said }), input) };
    });
    this.both = h("div", { class: "times" }, ...this.times.map(({ element }) => element));
    this.input.addEventListener("change", () => reveal(this.both, this.input.checked));
    const attributes = { role: "group", "aria-labelledby": this.labelId };
    const toggle = h("div", { class: "toggle" }, this.input, label);
    this.element = h("div", { ...attributes, "aria-describedby": described }, toggle, this.both);
  }

  get raw() {
    return this.value;
  }

  get value() {
    const [from, until] = this.times.map(({ input }) => input.value);
    return this.input.checked ? `${from}-${until}` : null;
  }

  set value(value) {
    const times = value?.split("-") ?? DEFAULT_NIGHT;
    this.input.checked = value !== null;
    this.times.forEach(({ input }, at) => {
      input.value = times[at];
    });
    reveal(this.both, this.input.checked);
  }

  fault() {
    const [from, until] = this.value?.split("-") ?? DEFAULT_NIGHT;
    const isRight = DAY.test(from) && DAY.test(until) && from !== until;
    return isRight ? null : ["fault.hours", {}];
  }
}

/** Kind to what makes a control of it. */
export const KINDS = Object.freeze({
  text: (_name, rule, described) => new Text(rule, described),
  number: (_name, rule, described) => new Numeric(rule, described),
  integer: (_name, rule, described) => new Numeric(rule, described),
  secret: (_name, rule, described) => new Hidden(rule, described),
  key: (_name, rule, described) => new Key(rule, described),
  certificates: (_name, rule, described) => new Certificates(rule, described),
  choice: (name, rule, described) => new Choice(name, rule, described),
  toggle: (_name, _rule, described) => new Toggle(described),
  percent: (_name, _rule, described) => new Percent(described),
  hours: (_name, _rule, described) => new Hours(described),
});
