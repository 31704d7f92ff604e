// The last step: what the device says of itself now, and how set-up ends.

import { clear, formatted, has, put, say } from "../texts.js";
import { button, h, heading, reveal } from "./dom.js";
import { Lamp, putLight } from "./lamp.js";
import { doing, Report } from "./report.js";
import { identifyButton } from "./steps.js";
import { strength } from "./wifi.js";

const FACTS = ["configured", "meter", "address", "cloud", "light", "bluetooth", "network_manager"];
const QUANTITY = /^(.+?)(?:_(l[123]))?_(w|var|a|v|wh|varh)$/;
const FACTOR = /^(power_factor)(?:_(l[123]))?$/;
const UNITS = { w: "W", var: "var", a: "A", v: "V", wh: "kWh", varh: "kvarh" };

/** A key of a reading as `{key, phase, value}` to be said, or null for what is no quantity. */
export function quantity(name, value) {
  if (typeof value !== "number") return null;
  const factor = FACTOR.exec(name);
  const [, base, phase = "", unit = ""] = factor ?? QUANTITY.exec(name) ?? [];
  if (base === undefined || !has(`reading.${base}`)) return null;
  const shown = unit.endsWith("wh") || unit === "varh" ? value / 1000 : value;
  const text = `${formatted(shown)} ${UNITS[unit] ?? ""}`.trim();
  return { key: `reading.${base}`, phase: phase.toUpperCase(), value: text };
}

/** An age as a text's key and values. */
export function age(seconds) {
  if (seconds < 90) return ["age.seconds", { count: Math.round(seconds) }];
  if (seconds < 5400) return ["age.minutes", { count: Math.round(seconds / 60) }];
  return ["age.hours", { count: Math.round(seconds / 3600) }];
}

/** Why a fact does not hold, as a text's key, or null where only the device has words. */
export function factCause(name, cause) {
  const keys = [`cause.${name}.${cause}`, `code.broker-${String(cause).replaceAll("_", "-")}`];
  const wanted = name === "cloud" ? keys : keys.slice(0, 1);
  return wanted.find((key) => has(key)) ?? null;
}

export class StatusStep {
  #model;
  #lamp = new Lamp();
  #state = h("p", { class: "state-words" });
  #light = h("p", { class: "hint" });
  #facts = new Map(FACTS.map((name) => [name, factRow(name)]));
  #wifi = h("dd", {});
  #addresses = h("dd", {});
  #meter = h("dd", {});
  #device = h("dd", {});
  #age = h("p", { class: "fact" });
  #readings = h("dl", { class: "readings" });
  #finishReport = new Report();
  #resetReport = new Report();
  #finish = button("finish.do", () => this.#close(), "main");
  #reset = button("reset.do", () => this.#ask(), "danger");
  #dialog;

  /** Called once set-up was closed, or the device was reset, on purpose. */
  onFinished = () => {};
  onReset = () => {};

  constructor(model) {
    this.#model = model;
    this.heading = heading("status.title");
    this.#dialog = this.#makeDialog();
    this.element = h(
      "section",
      {},
      this.heading,
      h("div", { class: "state" }, this.#lamp.element, h("div", {}, this.#state, this.#light)),
      h("h3", { said: "status.facts" }),
      h("ul", { class: "facts" }, ...[...this.#facts.values()].map(({ element }) => element)),
      h("h3", { said: "status.reading" }),
      this.#age,
      this.#readings,
      h("h3", { said: "status.device" }),
      h(
        "dl",
        {},
        ...this.#pair("status.wifi", this.#wifi),
        ...this.#pair("status.addresses", this.#addresses),
        ...this.#pair("status.meter", this.#meter),
        ...this.#pair("status.version", this.#device),
      ),
      identifyButton(model),
      h("h3", { said: "finish.title" }),
      h("p", { said: "finish.intro" }),
      h("div", { class: "actions" }, this.#finish),
      this.#finishReport.element,
      h("h3", { said: "reset.title" }),
      h("p", { said: "reset.intro" }),
      h("div", { class: "actions" }, this.#reset),
      this.#resetReport.element,
      this.#dialog,
    );
    model.addEventListener("change", () => this.show());
  }

  #pair(said, place) {
    return [h("dt", { said }), place];
  }

  #makeDialog() {
    const title = h("h2", { id: "reset-title", said: "reset.sure" });
    const cancel = button("reset.cancel", () => this.#dialog.close());
    const sure = button("reset.yes", () => this.#forget(), "danger");
    return h(
      "dialog",
      { "aria-labelledby": "reset-title" },
      title,
      h("p", { said: "reset.what" }),
      h("div", { class: "actions" }, cancel, sure),
    );
  }

  entered() {}

  /** Shows everything anew, in the language of now. */
  show() {
    const { status, hello, settings } = this.#model;
    if (hello) {
      const { version, hardware, hostname } = hello;
      this.#device.textContent = `sensed ${version} · ${hardware} · ${hostname}`;
    }
    if (!status) return;
    const palette = settings["light.palette"]?.value;
    this.#lamp.show(status.state, palette);
    put(this.#state, `state.${status.state}`);
    putLight(this.#light, status.state, palette);
    for (const [name, row] of this.#facts) row.show(status.facts?.[name]);
    this.#showReading(status.reading);
    const { wifi } = status;
    if (wifi) {
      const { ssid, rssi_dbm: dbm } = wifi;
      put(this.#wifi, "status.wifi-value", { ssid, signal: say(strength(dbm), { dbm }) });
    } else {
      put(this.#wifi, "status.no-wifi");
    }
    const addresses = status.addresses ?? [];
    if (addresses.length) put(this.#addresses, "field.value", { value: addresses.join(", ") });
    else put(this.#addresses, "status.no-address");
    const { meter } = status;
    const known = [meter?.maker, meter?.meter_type, meter?.meter_id].filter(Boolean);
    if (known.length) put(this.#meter, "field.value", { value: known.join(" ") });
    else put(this.#meter, "status.no-meter");
  }

  #showReading(reading) {
    if (!reading) {
      put(this.#age, "reading.none");
      this.#readings.replaceChildren();
      return;
    }
    const [key, values] = age(reading.age_s);
    put(this.#age, "reading.age", { age: say(key, values) });
    const rows = Object.entries(reading)
      .map(([name, value]) => quantity(name, value))
      .filter((row) => row !== null);
    this.#readings.replaceChildren(
      ...rows.flatMap(({ key: said, phase, value }) => [
        h("dt", { said: phase ? ["reading.of-phase", { what: say(said), phase }] : said }),
        h("dd", {}, value),
      ]),
    );
  }

  async #close() {
    const work = () => this.#model.ask("finish");
    if (await doing(this.#finishReport, [this.#finish], "form.working", work)) this.onFinished();
  }

  #ask() {
    this.#dialog.showModal();
  }

  async #forget() {
    this.#dialog.close();
    const work = () => this.#model.ask("reset");
    if (await doing(this.#resetReport, [this.#reset], "reset.working", work)) this.onReset();
  }
}

function factRow(name) {
  const mark = h("span", { class: "mark", "aria-hidden": "true" });
  const words = h("span", {});
  const why = h("span", { class: "why" });
  const element = h("li", {}, mark, h("span", {}, words, why));
  const show = (fact) => {
    const holds = fact?.holds ?? null;
    element.dataset.holds = String(holds);
    mark.textContent = { true: "✓", false: "✗", null: "…" }[String(holds)];
    put(words, `fact.${name}.${holds}`);
    const key = holds === false && fact.cause ? factCause(name, fact.cause) : null;
    const detail = holds === false ? (fact.detail ?? "") : "";
    reveal(why, key !== null || detail !== "");
    why.removeAttribute("lang");
    clear(why);
    if (key !== null) {
      put(why, key);
    } else if (detail !== "") {
      why.lang = "en";
      why.textContent = detail;
    }
  };
  return { element, show };
}
