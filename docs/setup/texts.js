// Every sentence of the page, in the language chosen, and the elements that show them.

import enCauses from "./texts/en-causes.js";
import en from "./texts/en.js";
import nbCauses from "./texts/nb-causes.js";
import nb from "./texts/nb.js";
import svCauses from "./texts/sv-causes.js";
import sv from "./texts/sv.js";

/** Language to the texts in it. */
export const TEXTS = Object.freeze({
  en: { ...en, ...enCauses },
  nb: { ...nb, ...nbCauses },
  sv: { ...sv, ...svCauses },
});
/** Language to its own name for itself. */
export const LANGUAGES = Object.freeze({ en: "English", nb: "Norsk", sv: "Svenska" });

const SHOWN = "data-said";
const TYPED = "`";
const sayings = new WeakMap();
let language = "en";

/** The first of the preferred languages that there are texts in. */
export function chooseLanguage(preferred) {
  for (const tag of preferred) {
    const base = tag.toLowerCase().split("-")[0];
    if (base in TEXTS) return base;
    if (base === "no" || base === "nn") return "nb";
  }
  return "en";
}

export const currentLanguage = () => language;

/** Shows the page in another language. */
export function speak(wanted) {
  language = wanted;
  document.documentElement.lang = wanted;
  for (const element of document.querySelectorAll(`[${SHOWN}]`)) {
    for (const [place, [key, values]] of sayings.get(element) ?? []) {
      show(element, place, key, values);
    }
  }
}

export const has = (key) => key in TEXTS[language];

/**
 * A text; `{name}` in it stands for one of `values`, whose numbers are written as is usual here.
 * What stands between grave accents is to be typed as it is.
 */
export function say(key, values = {}) {
  return parts(key, values).join("");
}

function parts(key, values) {
  const pieces = (TEXTS[language][key] ?? key).split(TYPED);
  return pieces.map((piece) => piece.replace(/\{(\w+)\}/g, (_, name) => formatted(values[name])));
}

/** A number as is usual in the language. */
export function formatted(value, digits = 3) {
  if (typeof value !== "number") return String(value ?? "");
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/** Lets an element show a text, now and in every language. */
export function put(element, key, values = {}) {
  remember(element, "", key, values);
}

/** Lets an attribute of an element be a text. */
export function putAttribute(element, attribute, key, values = {}) {
  remember(element, attribute, key, values);
}

/** Lets an element show no text. */
export function clear(element) {
  sayings.get(element)?.delete("");
  element.textContent = "";
}

function remember(element, place, key, values) {
  const said = sayings.get(element) ?? new Map();
  said.set(place, [key, values]);
  sayings.set(element, said);
  element.setAttribute(SHOWN, "");
  show(element, place, key, values);
}

function show(element, place, key, values) {
  const pieces = parts(key, values);
  const text = pieces.join("");
  if (place !== "") element.setAttribute(place, text);
  else if (pieces.length > 1) element.replaceChildren(...pieces.map(marked));
  else if (element.textContent !== text) element.textContent = text;
}

function marked(part, at) {
  if (at % 2 === 0) return part;
  const code = document.createElement("code");
  code.textContent = part;
  return code;
}
