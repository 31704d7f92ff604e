// X25519 (RFC 7748): the browser's own where it has one, else the one below.
//
// BigInt does not compute in constant time, whatever the ladder looks like. The keys it is
// used for here live for one session, and nobody else runs code on this page.

import { fromHex, join } from "./octets.js";

const P = 2n ** 255n - 19n;
const A24 = 121665n;
const KEY_OCTETS = 32;
const PKCS8_HEADER = fromHex("302e020100300506032b656e04220420");
const NAME = { name: "X25519" };

/** The other side's key makes every shared secret the same (RFC 7748, section 6.1). */
export class LowOrderError extends Error {}

/** A key pair: `publicKey` has 32 octets, `shared(theirs)` gives 32; throws LowOrderError. */
export async function keyPair(privateKey = null) {
  return (await isBuiltIn()) ? builtInPair(privateKey) : ownPair(privateKey);
}

let known = null;

/** Whether the browser has X25519. */
export function isBuiltIn() {
  known ??= crypto.subtle.generateKey(NAME, false, ["deriveBits"]).then(
    () => true,
    () => false,
  );
  return known;
}

/** A pair made by the browser; from `privateKey` in tests alone. */
export async function builtInPair(privateKey = null) {
  const pair =
    privateKey === null
      ? await crypto.subtle.generateKey(NAME, false, ["deriveBits"])
      : await importedPair(privateKey);
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    async shared(theirs) {
      try {
        const key = await crypto.subtle.importKey("raw", theirs, NAME, false, []);
        const how = { ...NAME, public: key };
        return checked(new Uint8Array(await crypto.subtle.deriveBits(how, pair.privateKey, 256)));
      } catch (error) {
        // The browser refuses such keys by itself.
        if (error instanceof DOMException) throw new LowOrderError();
        throw error;
      }
    },
  };
}

async function importedPair(privateKey) {
  const base = new Uint8Array(KEY_OCTETS);
  base[0] = 9;
  const octets = join(PKCS8_HEADER, privateKey);
  const secret = await crypto.subtle.importKey("pkcs8", octets, NAME, false, ["deriveBits"]);
  const nine = await crypto.subtle.importKey("raw", base, NAME, true, []);
  const own = await crypto.subtle.deriveBits({ ...NAME, public: nine }, secret, 256);
  return {
    privateKey: secret,
    publicKey: await crypto.subtle.importKey("raw", own, NAME, true, []),
  };
}

/** A pair made here. */
export function ownPair(privateKey = null) {
  const secret = privateKey ?? crypto.getRandomValues(new Uint8Array(KEY_OCTETS));
  const base = new Uint8Array(KEY_OCTETS);
  base[0] = 9;
  return {
    publicKey: scalarMult(secret, base),
    shared: async (theirs) => checked(scalarMult(secret, theirs)),
  };
}

/** The Montgomery ladder of RFC 7748, section 5: 32 octets each. */
export function scalarMult(scalar, point) {
  const clamped = scalar.slice();
  clamped[0] &= 248;
  clamped[31] = (clamped[31] & 127) | 64;
  const masked = point.slice();
  masked[31] &= 127;
  const k = littleEndian(clamped);
  const x1 = littleEndian(masked) % P;
  let [x2, z2, x3, z3, swap] = [1n, 0n, x1, 1n, 0n];
  for (let bit = 254n; bit >= 0n; bit -= 1n) {
    const set = (k >> bit) & 1n;
    swap ^= set;
    [x2, x3] = exchanged(swap, x2, x3);
    [z2, z3] = exchanged(swap, z2, z3);
    swap = set;
    const a = x2 + z2;
    const b = x2 - z2 + P;
    const aa = (a * a) % P;
    const bb = (b * b) % P;
    const e = aa - bb + P;
    const da = ((x3 - z3 + P) * a) % P;
    const cb = ((x3 + z3) * b) % P;
    const sum = da + cb;
    const difference = da - cb + P;
    x3 = (sum * sum) % P;
    z3 = (x1 * ((difference * difference) % P)) % P;
    x2 = (aa * bb) % P;
    z2 = (e * (aa + A24 * e)) % P;
  }
  [x2] = exchanged(swap, x2, x3);
  [z2] = exchanged(swap, z2, z3);
  return octetsOf((x2 * power(z2, P - 2n)) % P);
}

function exchanged(swap, one, other) {
  const difference = -swap & (one ^ other);
  return [one ^ difference, other ^ difference];
}

function power(base, exponent) {
  let result = 1n;
  for (let bit = 254n; bit >= 0n; bit -= 1n) {
    result = (result * result) % P;
    if ((exponent >> bit) & 1n) result = (result * base) % P;
  }
  return result;
}

function littleEndian(octets) {
  return octets.reduceRight((number, octet) => (number << 8n) | BigInt(octet), 0n);
}

function octetsOf(number) {
  return Uint8Array.from({ length: KEY_OCTETS }, (_, at) =>
    Number((number >> BigInt(8 * at)) & 255n),
  );
}

function checked(shared) {
  if (shared.every((octet) => octet === 0)) throw new LowOrderError();
  return shared;
}
