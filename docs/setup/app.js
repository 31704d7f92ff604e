// The page as a whole: which step is seen, the state's line, the language, the session's end.

import { readFragment } from "./core/code.js";
import { Connection } from "./connection.js";
import { SessionEndedError } from "./core/session.js";
import { Model } from "./model.js";
import { chooseLanguage, clear, currentLanguage, LANGUAGES, put, speak } from "./texts.js";
import { BrokerStep } from "./view/broker.js";
import { h, reveal } from "./view/dom.js";
import { Lamp } from "./view/lamp.js";
import { causeOf } from "./view/report.js";
import { Over, Start } from "./view/start.js";
import { StatusStep } from "./view/status.js";
import { FuseStep, LightStep, MeterStep } from "./view/steps.js";
import { WifiStep } from "./view/wifi.js";

const LANGUAGE_KEPT = "language";
/** Ends after which there is nothing to be had from the same device with the same code. */
const FINAL = new Set(["reset", "closed", "left"]);

const kept = remembered();
speak(chooseLanguage(kept ? [kept] : navigator.languages));

const connection = new Connection();
const model = new Model(connection);
const start = new Start(connection);
const over = new Over();
const order = ["wifi", "broker", "meter", "fuse", "light", "status"];
const kinds = [WifiStep, BrokerStep, MeterStep, FuseStep, LightStep, StatusStep];
const steps = new Map(
  order.map((name, at) => [name, new kinds[at](model, (isNew) => goOn(at, isNew))]),
);
const tabs = new Map(order.map((name) => [name, tab(name)]));
const lamp = new Lamp();
const stateWords = h("span", { class: "state-words" });
const deviceName = h("strong", { class: "device-name" });
const news = h("p", { class: "news" });
const banner = h("p", { class: "banner", role: "alert" });
const bar = h("div", { class: "bar" }, lamp.element, deviceName, stateWords);
const words = h("div", { role: "status", class: "unseen" });
const nav = h(
  "nav",
  { saidAs: { "aria-label": "nav.label" } },
  h("ol", {}, ...[...tabs.values()].map((button) => h("li", {}, button))),
);

let current = "start";
let wasPlaced = false;
let ending = null;
let told = null;

function tab(name) {
  const done = h("span", { class: "done", hidden: true });
  const visit = () => {
    clear(news);
    go(name);
  };
  const on = { click: visit };
  return h("button", { type: "button", class: "tab", on }, h("span", { said: `nav.${name}` }), done);
}

function go(name) {
  current = name;
  const views = [["start", start], ["over", over], ...steps];
  for (const [other, view] of views) reveal(view.element, other === name);
  for (const [other, button] of tabs) {
    if (other === name) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  const isInside = steps.has(name);
  reveal(nav, isInside);
  reveal(bar, isInside);
  const view = new Map(views).get(name);
  view.entered?.();
  view.heading.focus();
  view.heading.scrollIntoView({ block: "nearest" });
}

function goOn(at, isNew) {
  put(news, isNew ? "news.saved" : "news.unchanged");
  go(order[at + 1]);
}

/** The first step that still lacks something. */
function place() {
  const { status, settings } = model;
  if (!status.addresses?.length) return "wifi";
  return settings["mqtt.host"]?.value ? "status" : "broker";
}

function modelChanged({ detail }) {
  const { status, settings, hello } = model;
  deviceName.textContent = settings["device.name"]?.value ?? hello?.name ?? "";
  if (detail.includes("trouble")) {
    reveal(banner, model.trouble !== null);
    if (model.trouble) put(banner, ...causeOf(model.trouble));
  }
  if (detail.includes("status")) {
    lamp.show(status.state, settings["light.palette"]?.value);
    put(stateWords, `state.${status.state}`);
    if (told !== status.state) put(words, `state.${status.state}`);
    told = status.state;
    if (!wasPlaced) {
      wasPlaced = true;
      go(place());
    }
  }
  for (const [name, isDone] of Object.entries(progress())) {
    const done = tabs.get(name).querySelector(".done");
    if (isDone) put(done, "nav.done");
    reveal(done, isDone);
  }
}

function progress() {
  const { status, settings } = model;
  return {
    wifi: Boolean(status?.addresses?.length),
    broker: status?.facts?.cloud?.holds === true,
    meter: status?.facts?.meter?.holds === true,
    fuse: Boolean(settings["fuse.main_a"]?.value),
  };
}

function connectionChanged() {
  const { phase, why } = connection;
  const isInside = steps.has(current);
  reveal(banner, phase === "again");
  if (phase === "again") put(banner, "banner.again");
  document.body.dataset.phase = phase;
  if (phase === "over" && (isInside || current === "over" || ending)) end(why);
}

function end(why) {
  wasPlaced = false;
  told = null;
  const [title, text] = ending ?? ["over.title", causeOf(why)];
  over.show([title, {}], text, ending === null && !FINAL.has(why.why));
  ending = null;
  clear(news);
  go("over");
}

/** Whatever ends the session after this was meant to. */
function meant(title, text) {
  ending = [title, [text, {}]];
  connection.leave(connection.why ?? new SessionEndedError("left"));
}

function takeFragment() {
  if (location.hash.length < 2) return;
  const said = readFragment(location.hash);
  history.replaceState(null, "", location.pathname + location.search);
  start.scanned(said);
}

function remembered() {
  try {
    return localStorage.getItem(LANGUAGE_KEPT);
  } catch {
    return null;
  }
}

function remember(language) {
  try {
    localStorage.setItem(LANGUAGE_KEPT, language);
  } catch {
    // Where nothing may be kept, the browser's language is asked again next time.
  }
}

function languageSwitch() {
  const select = document.getElementById("language");
  const options = Object.entries(LANGUAGES).map(([value, name]) =>
    h("option", { value, lang: value }, name),
  );
  select.replaceChildren(...options);
  select.value = currentLanguage();
  select.addEventListener("change", () => {
    speak(select.value);
    remember(select.value);
    steps.get("status").show();
  });
  put(document.querySelector("label[for=language]"), "page.language");
}

function serveOffline() {
  if (!navigator.serviceWorker) return;
  const worker = "worker.js";
  const policy = window.trustedTypes?.createPolicy("worker", { createScriptURL: () => worker });
  // Without it the page works all the same, as long as there is a network.
  navigator.serviceWorker.register(policy?.createScriptURL("") ?? worker).catch(() => {});
}

languageSwitch();
put(document.getElementById("title"), "page.title");
put(document.querySelector("title"), "page.title");
put(document.getElementById("privacy"), "page.privacy");
document.getElementById("bar").append(bar, banner);
document
  .querySelector("main")
  .replaceChildren(
    nav,
    h("div", { role: "status" }, news),
    words,
    start.element,
    ...[...steps.values()].map(({ element }) => element),
    over.element,
  );
reveal(banner, false);
model.addEventListener("change", modelChanged);
connection.addEventListener("change", connectionChanged);
over.onAgain = () => connection.again();
// The next device may be another one: nothing of this one stays.
over.onAnew = () => location.reload();
steps.get("status").onFinished = () => meant("finished.title", "finished.text");
steps.get("status").onReset = () => meant("was-reset.title", "was-reset.text");
takeFragment();
window.addEventListener("hashchange", takeFragment);
go("start");
start.look();
serveOffline();
