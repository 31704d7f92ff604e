// The steps that are a form each: meter, main fuse, name and light.

import { put } from "../texts.js";
import { button, h, heading } from "./dom.js";
import { SettingsForm } from "./form.js";
import { doing, Report } from "./report.js";

const COMMON_FUSES_A = [16, 20, 25, 32, 35, 40, 50, 63];

class FormStep {
  constructor(model, title, intro, before, rows, onDone) {
    this.heading = heading(title);
    this.form = new SettingsForm(model, rows, onDone);
    const first = h("p", { said: intro });
    this.element = h("section", {}, this.heading, first, ...before, this.form.element);
    model.addEventListener("change", ({ detail }) => {
      if (detail.includes("settings")) this.form.show(model.settings);
      if (detail.includes("status")) this.showStatus(model.status);
    });
  }

  showStatus() {}

  entered() {}
}

export class MeterStep extends FormStep {
  #heard;

  constructor(model, onDone) {
    const heard = h("p", { class: "fact" });
    const rows = ["meter.key", "meter.auth_key"];
    super(model, "meter.title", "meter.intro", [heard], rows, onDone);
    this.#heard = heard;
  }

  showStatus({ meter, reading, facts }) {
    if (meter) put(this.#heard, meter.meter_id ? "meter.known" : "meter.known.name", names(meter));
    else if (reading) put(this.#heard, "meter.heard");
    else if (facts?.meter?.holds === false) put(this.#heard, "meter.silent");
    else put(this.#heard, "meter.waiting");
  }
}

function names({ maker, meter_type: type, meter_id: id }) {
  return { name: [maker, type].filter(Boolean).join(" ") || "?", id };
}

export class FuseStep extends FormStep {
  constructor(model, onDone) {
    const chips = () => {
      const choose = (ampere) => () => {
        const field = this.form.fields.get("fuse.main_a");
        field.entered = ampere;
        field.focus();
      };
      const buttons = COMMON_FUSES_A.map((ampere) =>
        button(["fuse.ampere", { ampere }], choose(ampere), "chip"),
      );
      const attributes = { class: "chips", role: "group", saidAs: { "aria-label": "fuse.common" } };
      return h("div", attributes, ...buttons);
    };
    const rows = ["fuse.main_a", chips, "fuse.margin_a", "fuse.failsafe_a", "fuse.net"];
    super(model, "fuse.title", "fuse.intro", [], rows, onDone);
  }
}

export class LightStep extends FormStep {
  constructor(model, onDone) {
    const rows = ["device.name", "light.palette", "light.brightness", "light.night"];
    super(model, "light.title", "light.intro", [identifyButton(model)], rows, onDone);
  }
}

/** A button that lets the light flash white, with its report. */
export function identifyButton(model) {
  const report = new Report();
  const identify = button("identify.do", async () => {
    const work = () => model.ask("identify");
    if (await doing(report, [identify], "form.working", work)) report.succeeded("identify.done");
  });
  return h("div", {}, h("div", { class: "actions" }, identify), report.element);
}
