// Before the session: the code, the device, and why it cannot begin.

import { bare, CodeError, grouped, parse, sessionKey } from "../core/code.js";
import { SessionEndedError } from "../core/session.js";
import { chooseDevice, obstacle } from "../link.js";
import { clear, put } from "../texts.js";
import { button, freshId, h, heading, reveal } from "./dom.js";
import { Report } from "./report.js";

/** The first step. */
export class Start {
  #connection;
  #report = new Report();
  #obstacle = h("div", { class: "notice", role: "note" });
  #scanned = h("p", { class: "good" });
  #fault = h("p", { class: "fault", id: freshId() });
  #hint = h("p", { class: "hint", id: freshId(), said: "start.code-hint" });
  #find = h("button", { type: "submit", class: "main", said: "start.find" });
  #code;
  #device = null;

  constructor(connection) {
    this.#connection = connection;
    const id = freshId();
    this.#code = h("input", {
      id,
      class: "code",
      type: "text",
      autocomplete: "off",
      autocapitalize: "characters",
      autocorrect: "off",
      spellcheck: "false",
      "aria-describedby": `${this.#hint.id} ${this.#fault.id}`,
      on: { input: () => this.#fail(null), blur: () => this.#tidy() },
    });
    const submit = (event) => {
      event.preventDefault();
      this.#begin();
    };
    this.heading = heading("start.title");
    this.element = h(
      "section",
      {},
      this.heading,
      h("p", { said: "start.intro" }),
      this.#obstacle,
      h(
        "form",
        { novalidate: true, on: { submit } },
        h(
          "div",
          { class: "field" },
          h("label", { for: id, said: "start.code" }),
          this.#hint,
          this.#scanned,
          this.#code,
          this.#fault,
        ),
        h("div", { class: "actions" }, this.#find),
      ),
      this.#report.element,
      h(
        "details",
        {},
        h("summary", { said: "start.trouble" }),
        h("ul", {}, ...["power", "window", "near", "other"].map((what) => helpWith(what))),
      ),
    );
    reveal(this.#scanned, false);
    this.#fail(null);
    connection.addEventListener("change", () => this.#connectionChanged());
  }

  /** Takes what a QR code's address said. */
  scanned({ code, name }) {
    if (code === "") return;
    this.#code.value = grouped(bare(code));
    this.#device = null;
    reveal(this.#scanned, this.#check() !== null);
    put(this.#scanned, name ? "start.scanned-named" : "start.scanned", { name });
  }

  /** Begins without what an earlier try has said. */
  entered() {
    this.#report.clear();
  }

  /** Looks whether this browser can do it. */
  async look() {
    const why = await obstacle();
    reveal(this.#obstacle, why !== null);
    if (why === null) return;
    this.#obstacle.replaceChildren(h("p", { said: `obstacle.${why}` }));
    if (why !== "adapter") {
      this.#find.disabled = true;
      this.#obstacle.append(h("p", { said: "obstacle.instead" }));
    }
  }

  #tidy() {
    try {
      this.#code.value = grouped(bare(this.#code.value));
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
    }
  }

  #check() {
    try {
      const code = parse(this.#code.value);
      this.#fail(null);
      return code;
    } catch (error) {
      if (!(error instanceof CodeError)) throw error;
      this.#fail([`code-fault.${error.reason}`, error.details]);
      return null;
    }
  }

  #fail(fault) {
    reveal(this.#fault, fault !== null);
    if (fault === null) {
      this.#code.removeAttribute("aria-invalid");
      clear(this.#fault);
    } else {
      this.#code.setAttribute("aria-invalid", "true");
      put(this.#fault, ...fault);
    }
  }

  async #begin() {
    const code = this.#check();
    if (code === null) {
      this.#code.focus();
      return;
    }
    this.#report.clear();
    try {
      this.#device ??= await chooseDevice();
      await this.#connection.connect(this.#device, await sessionKey(code));
    } catch (error) {
      if (!(error instanceof SessionEndedError)) throw error;
      this.#report.failed(error);
    }
  }

  #connectionChanged() {
    const { phase, why } = this.#connection;
    this.#find.disabled = phase === "connecting";
    if (phase === "connecting") this.#report.working("start.connecting");
    if (phase === "open") this.#report.working("start.loading");
    if (phase === "idle") this.#report.clear();
    if (phase === "over") {
      // The next try may be with another device.
      this.#device = null;
      this.#report.failed(why);
      if (why.why === "wrong-code") {
        this.#fail(["end.wrong-code", {}]);
        this.#code.focus();
      }
    }
  }
}

function helpWith(what) {
  return h("li", { said: `trouble.${what}` });
}

/** Shown instead of everything else once set-up is done with, or was lost. */
export class Over {
  #text = h("p", {});
  #again = button("over.again", () => this.onAgain(), "main");
  #anew = button("over.anew", () => this.onAnew());

  onAgain = () => {};
  onAnew = () => {};

  constructor() {
    this.heading = heading("over.title");
    const actions = h("div", { class: "actions" }, this.#again, this.#anew);
    this.element = h("section", {}, this.heading, this.#text, actions);
  }

  /** `title` and `text` are `[key, values]`; `mayReturn`: the same device may be tried again. */
  show(title, text, mayReturn) {
    put(this.heading, ...title);
    put(this.#text, ...text);
    reveal(this.#again, mayReturn);
  }
}
