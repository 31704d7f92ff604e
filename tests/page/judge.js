// What a person with other eyes, fingers or ears than most would stumble over, as sentences.
(() => {
  const faults = [];
  const isSeen = (element) =>
    element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen");
  const named = (element) => `${element.tagName.toLowerCase()} "${element.innerText?.slice(0, 40)}"`;
  const all = (selector) => [...document.querySelectorAll(selector)];

  const channels = (colour) => {
    const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return { red, green, blue, alpha };
  };
  const luminance = ({ red, green, blue }) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.alpha === 1) return colour;
      if (colour.alpha !== 0) faults.push(`${named(at)} is half transparent`);
    }
    return { red: 255, green: 255, blue: 255 };
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  let judged = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !isSeen(element) || element.closest("option, script")) continue;
    judged += 1;
    const ratio = contrast(channels(getComputedStyle(element).color), background(element));
    if (ratio < 4.5) faults.push(`${named(element)} has a contrast of ${ratio.toFixed(2)}`);
    if (/^[a-z][a-z-]*(\.[\w-]+)+$/.test(text) && !element.closest("code, .ssid, dd")) {
      faults.push(`${text} is a key, not a text`);
    }
    if (/\{\w+\}|undefined|NaN|\[object/.test(text)) faults.push(`"${text}" is not filled in`);
    const size = Number.parseFloat(getComputedStyle(element).fontSize);
    if (size < 13) faults.push(`${named(element)} is ${size} px high`);
  }
  for (const field of all("input, select, textarea, button").filter(isSeen)) {
    if (field.disabled || ["checkbox", "range", "file"].includes(field.type)) continue;
    const style = getComputedStyle(field);
    const around = background(field.parentElement);
    const edge = Math.max(
      contrast(channels(style.borderTopColor), around),
      contrast(background(field), around),
    );
    if (edge < 3) faults.push(`the edge of ${named(field)} has a contrast of ${edge.toFixed(2)}`);
  }
  for (const dot of all(".dot, .steady").filter(isSeen)) {
    const ratio = contrast(background(dot), background(dot.parentElement));
    if (ratio < 3) faults.push(`a dot of the lamp has a contrast of ${ratio.toFixed(2)}`);
  }

  for (const control of all("button, input, select, textarea, summary, a").filter(isSeen)) {
    const boxes = [control, ...(control.type === "checkbox" ? (control.labels ?? []) : [])];
    const edges = boxes.map((one) => one.getBoundingClientRect());
    const height = Math.max(...edges.map((box) => box.height));
    const width = Math.max(...edges.map((box) => box.width));
    if (height < 44 || width < 44) {
      faults.push(`${named(control)} is only ${Math.round(width)} by ${Math.round(height)}`);
    }
    if (control.tabIndex > 0) faults.push(`${named(control)} jumps the queue`);
  }

  const ids = all("[id]").map(({ id }) => id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) {
    faults.push(`two elements are called ${id}`);
  }
  for (const attribute of ["aria-describedby", "aria-labelledby", "for", "aria-controls"]) {
    for (const element of all(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(" ")) {
        if (!document.getElementById(id)) faults.push(`${attribute} of ${named(element)} is void`);
      }
    }
  }
  const levels = all("h1, h2, h3").filter(isSeen).map(({ tagName }) => Number(tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push("there is not one h1");
  levels.forEach((level, at) => {
    if (at && level > levels[at - 1] + 1) faults.push(`a heading of level ${level} is too deep`);
  });
  if (!document.documentElement.lang) faults.push("the page does not tell its language");
  const tooWide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (tooWide > 0) faults.push(`the page is ${tooWide} px too wide`);
  if (judged < 5) faults.push("there was nothing to judge");
  return faults;
})();
