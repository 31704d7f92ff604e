// The Wi-Fi step: what is in use, what is seen, and a trial of another one.

import { utf8 } from "../core/octets.js";
import { clear, put } from "../texts.js";
import { button, freshId, h, heading, reveal } from "./dom.js";
import { KINDS } from "./kinds.js";
import { doing, Report } from "./report.js";

const STRONG_DBM = -60;
const WEAK_DBM = -75;
const LONGEST_SSID = 32;

/** How strong a signal is, as a text's key. */
export function strength(rssiDbm) {
  if (rssiDbm >= STRONG_DBM) return "signal.strong";
  return rssiDbm >= WEAK_DBM ? "signal.medium" : "signal.weak";
}

/** Whether a scan's `auth` asks for nothing, for a password, or for more than that. */
export function security(auth) {
  const kinds = String(auth).split("/");
  if (kinds.includes("NO")) return "open";
  return kinds.some((kind) => /^WPA[23]?$/.test(kind)) ? "password" : "unsupported";
}

/** What is wrong with a name and password, each as a text's key or null. */
export function faults(ssid, password, needsPassword) {
  const { length } = utf8(ssid);
  const isKey = /^[0-9a-f]{64}$/i.test(password);
  const octets = utf8(password).length;
  const isRight = isKey || (octets >= 8 && octets <= 63);
  return {
    ssid: length >= 1 && length <= LONGEST_SSID ? null : "fault.ssid",
    password: (password === "" && !needsPassword) || isRight ? null : "fault.wifi-password",
  };
}

export class WifiStep {
  #model;
  #onDone;
  #inUse = h("p", { class: "fact" });
  #scanReport = new Report();
  #scan = button("wifi.scan", () => this.scan());
  #list = h("ul", { class: "networks" });
  #ssid = h("input", { id: freshId(), type: "text", autocomplete: "off", autocapitalize: "none" });
  #ssidFault = h("p", { class: "fault", id: freshId() });
  #passwordFault = h("p", { class: "fault", id: freshId() });
  #password = KINDS.secret("wifi", { most: 64 }, this.#passwordFault.id);
  #join = h("button", { type: "submit", class: "main", said: "wifi.join" });
  #skip = button("wifi.skip", () => this.#onDone(false));
  #report = new Report();
  #needsPassword = false;
  #wasScanned = false;

  constructor(model, onDone) {
    this.#model = model;
    this.#onDone = onDone;
    this.heading = heading("wifi.title");
    this.#ssid.setAttribute("spellcheck", "false");
    this.#ssid.setAttribute("aria-describedby", this.#ssidFault.id);
    this.#ssid.addEventListener("input", () => {
      this.#needsPassword = false;
      this.#mark({ ssid: null, password: null });
    });
    this.#mark({ ssid: null, password: null });
    const submit = (event) => {
      event.preventDefault();
      this.#try();
    };
    this.element = h(
      "section",
      {},
      this.heading,
      h("p", { said: "wifi.intro" }),
      this.#inUse,
      h("div", { class: "actions" }, this.#scan, this.#skip),
      this.#scanReport.element,
      this.#list,
      h(
        "form",
        { novalidate: true, on: { submit } },
        h(
          "div",
          { class: "field" },
          h("label", { for: this.#ssid.id, said: "wifi.ssid" }),
          this.#ssid,
          this.#ssidFault,
        ),
        h(
          "div",
          { class: "field" },
          h("label", { for: this.#password.id, id: this.#password.labelId, said: "wifi.password" }),
          h("p", { class: "hint", said: "wifi.password-hint" }),
          this.#password.element,
          this.#passwordFault,
        ),
        h("div", { class: "actions" }, this.#join),
        this.#report.element,
      ),
    );
    model.addEventListener("change", ({ detail }) => {
      if (detail.includes("status")) this.#showStatus(model.status);
    });
  }

  /** Looks for networks at the first visit of a device that has none. */
  entered() {
    const { status } = this.#model;
    if (!this.#wasScanned && !status?.addresses?.length) this.scan();
  }

  async scan() {
    this.#wasScanned = true;
    const isDone = await doing(this.#scanReport, [this.#scan], "progress.scanning", async () => {
      const { networks } = await this.#model.ask("wifi.scan");
      this.#list.replaceChildren(...networks.map((network) => this.#row(network)));
    });
    const count = this.#list.children.length;
    if (isDone) this.#scanReport.succeeded(count ? "wifi.found" : "wifi.found-none", { count });
  }

  #row({ ssid, rssi_dbm: rssiDbm, auth }) {
    const kind = security(auth);
    const choose = () => this.#choose(ssid, kind);
    const attributes = { type: "button", class: "network", disabled: kind === "unsupported" };
    const values = { dbm: rssiDbm };
    return h(
      "li",
      {},
      h(
        "button",
        { ...attributes, on: { click: choose } },
        h("span", { class: "ssid" }, ssid),
        h("span", { class: "about", said: [strength(rssiDbm), values] }),
        h("span", { class: "about", said: `security.${kind}` }),
      ),
    );
  }

  #choose(ssid, kind) {
    this.#ssid.value = ssid;
    this.#needsPassword = kind === "password";
    this.#password.value = null;
    this.#mark({ ssid: null, password: null });
    (kind === "open" ? this.#join : this.#password.input).focus();
  }

  #mark(found) {
    const places = [
      [this.#ssid, this.#ssidFault, found.ssid],
      [this.#password.input, this.#passwordFault, found.password],
    ];
    for (const [input, place, key] of places) {
      reveal(place, key !== null);
      if (key === null) {
        clear(place);
        input.removeAttribute("aria-invalid");
      } else {
        put(place, key);
        input.setAttribute("aria-invalid", "true");
      }
    }
  }

  async #try() {
    const ssid = this.#ssid.value;
    const password = this.#password.value ?? "";
    const found = faults(ssid, password, this.#needsPassword);
    this.#mark(found);
    if (found.ssid || found.password) {
      (found.ssid ? this.#ssid : this.#password.input).focus();
      return;
    }
    let addresses = [];
    const buttons = [this.#join, this.#scan];
    const isDone = await doing(this.#report, buttons, "progress.joining", async (onProgress) => {
      ({ addresses } = await this.#model.ask("wifi.join", { ssid, password }, onProgress));
      // The next step wants to know at once that there is a network.
      this.#model.update({ status: { ...(await this.#model.ask("status")), addresses } });
    });
    if (!isDone) return;
    this.#password.value = null;
    this.#report.succeeded("wifi.joined", { ssid, addresses: addresses.join(", ") });
    this.#onDone(true);
  }

  #showStatus({ wifi, addresses }) {
    if (wifi) {
      put(this.#inUse, "wifi.in-use", { ssid: wifi.ssid, dbm: wifi.rssi_dbm });
    } else {
      put(this.#inUse, addresses?.length ? "wifi.cable" : "wifi.none");
    }
    reveal(this.#skip, Boolean(addresses?.length));
  }
}
