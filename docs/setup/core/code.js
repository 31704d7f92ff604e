// The set-up code: typed or scanned, checked, made into the session's key.
// docs/setup-protocol.md, section 4.

import { utf8 } from "./octets.js";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const SEPARATORS = /[\s\-\u2010-\u2015\u2212]/gu;
const READ_AS = { O: "0", I: "1", L: "1" };
const SYMBOLS = 20;
const GROUP = 7;
const LONGEST_TYPED = 100;

/** What somebody typed is no set-up code: `reason` is `strange`, `length` or `mistyped`. */
export class CodeError extends Error {
  constructor(reason, details = {}) {
    super(`no set-up code: ${reason}`);
    this.reason = reason;
    this.details = details;
  }
}

/** What was typed, as capital letters and digits without separators; at most 100 characters. */
export function bare(typed) {
  const symbols = typed.slice(0, LONGEST_TYPED).replace(SEPARATORS, "").toUpperCase();
  return symbols.replace(/[OIL]/g, (symbol) => READ_AS[symbol]);
}

/** The 21 symbols in three groups, or as much of them as there is. */
export function grouped(symbols) {
  return (symbols.match(new RegExp(`.{1,${GROUP}}`, "gu")) ?? []).join("-");
}

/** The 20 symbols of a code that was typed or scanned. Throws CodeError. */
export function parse(typed) {
  const symbols = bare(typed);
  const strange = [...symbols].find((symbol) => !ALPHABET.includes(symbol));
  if (strange !== undefined) throw new CodeError("strange", { symbol: strange });
  if (symbols.length !== SYMBOLS + 1) throw new CodeError("length", { count: symbols.length });
  const code = symbols.slice(0, SYMBOLS);
  if (checkSymbol(code) !== symbols[SYMBOLS]) throw new CodeError("mistyped");
  return code;
}

/** The symbol that shows typing mistakes: Luhn mod 32. */
export function checkSymbol(code) {
  let total = 0;
  [...code].reverse().forEach((symbol, position) => {
    const product = ALPHABET.indexOf(symbol) * (position % 2 ? 1 : 2);
    total += Math.floor(product / ALPHABET.length) + (product % ALPHABET.length);
  });
  return ALPHABET[(ALPHABET.length - (total % ALPHABET.length)) % ALPHABET.length];
}

/** The key of the session, 32 octets, from the 20 symbols. */
export async function sessionKey(code) {
  const material = await crypto.subtle.importKey("raw", utf8(code), "HKDF", false, ["deriveBits"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: utf8("sensed-setup"), info: utf8("psk 1") };
  return new Uint8Array(await crypto.subtle.deriveBits(how, material, 256));
}

/** What the fragment of the QR code's address says: `{code, name}`, each "" if it is absent. */
export function readFragment(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  return { code: said.get("k") ?? "", name: (said.get("n") ?? "").slice(0, 64) };
}
