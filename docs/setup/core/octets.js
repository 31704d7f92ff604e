// Octets and text.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The UTF-8 octets of a text. */
export const utf8 = (text) => encoder.encode(text);

/** The text of UTF-8 octets. Throws TypeError for octets that are none. */
export const fromUtf8 = (octets) => decoder.decode(octets);

/** One array of octets out of several. */
export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const toHex = (octets) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

export const fromHex = (digits) =>
  Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
