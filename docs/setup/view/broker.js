// The broker step: suggestions, address, TLS and secrets.

import { put } from "../texts.js";
import { button, h, heading, reveal } from "./dom.js";
import { SettingsForm } from "./form.js";
import { doing, Report } from "./report.js";

const PLAIN_PORT = 1883;
const TLS_PORT = 8883;
/** They belong to the broker whose host is in force. */
const OF_THE_HOST = ["mqtt.username", "mqtt.password", "mqtt.ca_pem"];

/** What must change together with the host: what belongs to the old broker is taken back. */
export function takenBack(changes, fields) {
  if (!("mqtt.host" in changes)) return {};
  const there = OF_THE_HOST.filter((name) => fields.has(name) && !fields.get(name).isLocked);
  return Object.fromEntries(there.map((name) => [name, fields.get(name).kept]));
}

export class BrokerStep {
  #model;
  #report = new Report();
  #look = button("broker.look", () => this.look());
  #list = h("ul", { class: "networks" });
  #warning = h("p", { class: "hint", role: "status" });
  #form;
  #wasLooked = false;

  constructor(model, onDone) {
    this.#model = model;
    this.heading = heading("broker.title");
    const folded = SettingsForm.folded("broker.more", ["mqtt.ca_pem", "mqtt.protocol"]);
    const rows = ["mqtt.host", "mqtt.port", "mqtt.tls", "mqtt.username", "mqtt.password"];
    this.#form = new SettingsForm(model, [...rows, () => this.#warning, folded], onDone, {
      also: (changes) => takenBack(changes, this.#form.fields),
    });
    const { fields } = this.#form;
    fields.get("mqtt.tls").onInput(() => this.#followTls());
    fields.get("mqtt.host").onInput(() => this.#warn());
    reveal(this.#warning, false);
    this.element = h(
      "section",
      {},
      this.heading,
      h("p", { said: "broker.intro" }),
      h("div", { class: "actions" }, this.#look),
      this.#report.element,
      this.#list,
      this.#form.element,
    );
    model.addEventListener("change", ({ detail }) => {
      if (!detail.includes("settings")) return;
      this.#form.show(model.settings);
      this.#warn();
    });
  }

  /** Looks for brokers at the first visit of a device that has none. */
  entered() {
    const isSet = Boolean(this.#model.settings["mqtt.host"]?.value);
    const hasNetwork = Boolean(this.#model.status?.addresses?.length);
    if (!this.#wasLooked && !isSet && hasNetwork) this.look();
  }

  async look() {
    this.#wasLooked = true;
    const isDone = await doing(this.#report, [this.#look], "progress.looking", async () => {
      const { brokers } = await this.#model.ask("broker.suggest");
      this.#list.replaceChildren(...brokers.map((broker) => this.#row(broker)));
    });
    const count = this.#list.children.length;
    if (isDone) this.#report.succeeded(count ? "broker.found" : "broker.found-none", { count });
  }

  #row({ host, port, tls, login }) {
    const said = [login ? "broker.login" : "broker.no-login", {}];
    const on = { click: () => this.#choose({ host, port, tls, login }) };
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "network", on },
        h("span", { class: "ssid" }, `${host}:${port}`),
        h("span", { class: "about", said: tls ? "broker.tls" : "broker.no-tls" }),
        h("span", { class: "about", said }),
      ),
    );
  }

  #choose({ host, port, tls, login }) {
    const { fields } = this.#form;
    fields.get("mqtt.host").entered = host;
    fields.get("mqtt.port").entered = port;
    fields.get("mqtt.tls").entered = tls;
    this.#warn();
    fields.get(login ? "mqtt.username" : "mqtt.host").focus();
  }

  #followTls() {
    const port = this.#form.fields.get("mqtt.port");
    const isTls = this.#form.fields.get("mqtt.tls").entered;
    if (port.entered === (isTls ? PLAIN_PORT : TLS_PORT)) {
      port.entered = isTls ? TLS_PORT : PLAIN_PORT;
    }
  }

  #warn() {
    const { fields } = this.#form;
    const host = fields.get("mqtt.host");
    const isOther = Boolean(host.stored) && host.entered !== host.stored;
    const hasSecret = ["mqtt.password", "mqtt.ca_pem"].some((name) => fields.get(name).isSet);
    const isWarning = isOther && hasSecret;
    reveal(this.#warning, isWarning);
    if (isWarning) put(this.#warning, "broker.other", { host: host.stored });
  }
}
