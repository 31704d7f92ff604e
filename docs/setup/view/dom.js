// Elements without markup in strings.

import { put, putAttribute } from "../texts.js";

let count = 0;

/** An id that nothing else has. */
export function freshId() {
  count += 1;
  return `e${count}`;
}

/**
 * An element. `said` is a text's key, or [key, values]; `saidAs` names attributes that are texts;
 * `on` has listeners; everything else is an attribute, left out when false or null.
 */
export function h(tag, { said = null, saidAs = {}, on = {}, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, value);
  }
  if (said !== null) put(element, ...[said].flat());
  for (const [name, key] of Object.entries(saidAs)) putAttribute(element, name, ...[key].flat());
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Whether an element is to be seen. */
export function reveal(element, isSeen) {
  element.hidden = !isSeen;
}

/** A button that is no form's. */
export function button(said, onClick, className = "") {
  return h("button", { type: "button", class: className || null, said, on: { click: onClick } });
}

/** A step's heading, which takes the focus when the step is shown. */
export function heading(said) {
  return h("h2", { tabindex: "-1", said });
}
