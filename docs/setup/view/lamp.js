// The light's state as a picture: its colour and, as dots, its number of flashes.

import { put, putAttribute } from "../texts.js";
import { h } from "./dom.js";

const FLASHES = { not_configured: 1, no_meter_data: 2, no_ip: 3, no_cloud: 4 };
const COLOURS = {
  default: {
    starting: "white",
    not_configured: "yellow",
    no_meter_data: "red",
    no_ip: "magenta",
    no_cloud: "blue",
    active: "green",
  },
  colour_blind: {
    starting: "white",
    not_configured: "yellow",
    no_meter_data: "yellow",
    no_ip: "yellow",
    no_cloud: "yellow",
    active: "blue",
  },
};

/** The states of the light. */
export const STATES = Object.keys(COLOURS.default);

/** Colour and number of flashes (0: steady) of a state. */
export function lightOf(state, palette) {
  const colours = COLOURS[palette] ?? COLOURS.default;
  return { colour: colours[state] ?? "white", flashes: FLASHES[state] ?? 0 };
}

export class Lamp {
  #dots = h("span", { class: "dots", role: "img" });
  element = h("span", { class: "lamp" }, this.#dots);

  show(state, palette) {
    const { colour, flashes } = lightOf(state, palette);
    const wanted = `${colour} ${flashes}`;
    if (this.element.dataset.light === wanted) return;
    this.element.dataset.light = wanted;
    this.element.dataset.colour = colour;
    const dots = Array.from({ length: flashes }, () => h("span", { class: "dot" }));
    this.#dots.replaceChildren(...(flashes ? dots : [h("span", { class: "steady" })]));
    putAttribute(this.#dots, "aria-label", `light.${colour}.${flashes}`);
  }
}

/** Lets an element say what the light looks like in a state. */
export function putLight(element, state, palette) {
  const { colour, flashes } = lightOf(state, palette);
  put(element, `light.${colour}.${flashes}`);
}
