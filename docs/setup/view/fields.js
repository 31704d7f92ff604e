// One setting as a labelled control. Locked settings are shown as text.

import { clear, put } from "../texts.js";
import { freshId, h, reveal } from "./dom.js";
import { KINDS } from "./kinds.js";

const AMPERE = { kind: "number", most: 10_000 };

/** Every setting of the protocol: how it is entered, and what is accepted. */
export const RULES = Object.freeze({
  "device.name": { kind: "text", most: 64 },
  "mqtt.host": { kind: "text", most: 255, isAddress: true },
  "mqtt.port": { kind: "integer", least: 1, most: 65535 },
  "mqtt.tls": { kind: "toggle" },
  "mqtt.ca_pem": { kind: "certificates", most: 3072, isSecret: true },
  "mqtt.username": { kind: "text", most: 255, isAddress: true },
  "mqtt.password": { kind: "secret", isSecret: true },
  "mqtt.protocol": { kind: "choice", choices: ["3.1.1", "5"] },
  "meter.key": { kind: "key", isSecret: true },
  "meter.auth_key": { kind: "key", isSecret: true },
  "fuse.main_a": { ...AMPERE, least: 1 },
  "fuse.margin_a": { ...AMPERE, least: 0 },
  "fuse.failsafe_a": { ...AMPERE, least: 0 },
  "fuse.net": { kind: "choice", choices: [null, "TN", "IT", "TT"] },
  "light.palette": { kind: "choice", choices: ["default", "colour_blind"] },
  "light.brightness": { kind: "percent" },
  "light.night": { kind: "hours" },
});

/** A setting's label, hint, control, fault and lock. */
export class Field {
  #rule;
  #control;
  #setting = { locked: false };
  #untouched = undefined;
  #fault = h("p", { class: "fault", id: freshId() });
  #locked = h("p", { class: "locked-value" });
  #lock = h("p", { class: "lock", said: "field.locked" });
  #stored = h("p", { class: "stored", id: freshId() });
  #remove = null;
  #removal = null;

  constructor(name) {
    this.name = name;
    this.#rule = RULES[name];
    const hint = h("p", { class: "hint", id: freshId(), said: `hint.${name}` });
    const described = [hint.id, this.#stored.id, this.#fault.id].join(" ");
    this.#control = KINDS[this.#rule.kind](name, this.#rule, described);
    if (this.#rule.isSecret) this.#addRemoval();
    const label = this.#control.isGroup
      ? h("p", { class: "label", id: this.#control.labelId, said: `label.${name}` })
      : h("label", { for: this.#control.id, id: this.#control.labelId, said: `label.${name}` });
    const inOneRow = this.#rule.kind === "toggle";
    this.element = h(
      "div",
      { class: inOneRow ? "field toggle" : "field", "data-setting": name },
      ...(inOneRow ? [this.#control.element, label] : [label]),
      hint,
      this.#locked,
      this.#lock,
      ...(inOneRow ? [] : [this.#control.element]),
      this.#stored,
      this.#removal,
      this.#fault,
    );
    this.show({ value: null, locked: false });
  }

  #addRemoval() {
    const id = freshId();
    this.#remove = h("input", { type: "checkbox", id });
    const label = h("label", { for: id, said: `remove.${this.name}` });
    this.#removal = h("div", { class: "removal toggle" }, this.#remove, label);
  }

  get isLocked() {
    return this.#setting.locked === true;
  }

  /** The value that is in force; undefined for what is write-only. */
  get stored() {
    return this.#setting.value;
  }

  /** Whether something write-only is stored. */
  get isSet() {
    return this.#setting.set === true;
  }

  /** What is to be in force when nothing of before may stay unseen: null for nothing. */
  get kept() {
    return this.#control.value;
  }

  /** What has been entered; null for nothing. */
  get entered() {
    return this.isLocked ? this.#setting.value : this.#control.value;
  }

  set entered(value) {
    if (!this.isLocked) this.#control.value = value;
  }

  get isTouched() {
    return (
      !this.isLocked &&
      (JSON.stringify(this.#control.raw) !== this.#untouched || this.#remove?.checked === true)
    );
  }

  onInput(listener) {
    this.element.addEventListener("input", listener);
  }

  /** Shows what is in force. */
  show(setting) {
    this.#setting = setting;
    this.#control.value = this.#rule.isSecret ? null : (setting.value ?? null);
    this.#untouched = JSON.stringify(this.#control.raw);
    if (this.#remove) this.#remove.checked = false;
    this.fail(null);
    const { isLocked } = this;
    reveal(this.#control.element, !isLocked);
    reveal(this.#lock, isLocked);
    reveal(this.#locked, isLocked);
    if (isLocked) this.#tell(this.#locked);
    const isSet = this.#rule.isSecret && setting.set === true;
    reveal(this.#stored, isSet && !isLocked);
    if (isSet) put(this.#stored, "field.stored");
    if (this.#removal) reveal(this.#removal, isSet && !isLocked);
  }

  /** The value to send: undefined for no change, null to take back. */
  get change() {
    if (!this.isTouched) return undefined;
    if (this.#remove?.checked && this.#control.value === null) return null;
    const value = this.#control.value;
    if (this.#rule.isSecret) return value ?? undefined;
    return value === (this.#setting.value ?? null) ? undefined : value;
  }

  /** Looks whether what was entered can be right; shows the fault, and gives whether it is. */
  check() {
    const fault = this.isLocked ? null : this.#control.fault();
    this.fail(fault);
    return fault === null;
  }

  /** Shows a fault `[key, values]`, or none. */
  fail(fault) {
    this.#control.mark(fault !== null);
    reveal(this.#fault, fault !== null);
    if (fault) put(this.#fault, ...fault);
    else clear(this.#fault);
  }

  focus() {
    this.#control.focus();
  }

  #tell(element) {
    const { value, set } = this.#setting;
    const named = `choice.${this.name}.${value}`;
    if (this.#rule.isSecret) put(element, set ? "field.is-set" : "field.is-not-set");
    else if (this.#rule.kind === "choice") put(element, named);
    else if (this.#rule.kind === "toggle") put(element, value ? "field.on" : "field.off");
    else if (value === null || value === undefined) put(element, "field.none");
    else put(element, "field.value", { value });
  }
}
