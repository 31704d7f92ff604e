// Noise_NNpsk0_25519_AESGCM_SHA256, the initiator's side (revision 34), on WebCrypto.

import { join, utf8 } from "./octets.js";
import { keyPair, LowOrderError } from "./x25519.js";

const NAME = "Noise_NNpsk0_25519_AESGCM_SHA256";
export const KEY_OCTETS = 32;
export const TAG_OCTETS = 16;
export const HANDSHAKE_OCTETS = KEY_OCTETS + TAG_OCTETS;
const NONE = new Uint8Array(0);

/** A message does not come from one who has the key. */
export class NotAuthenticError extends Error {}

/** One direction's key and message number. Calls must not overlap. */
export class Cipher {
  #key;
  #number = 0n;

  static async of(octets) {
    const uses = ["encrypt", "decrypt"];
    const cipher = new Cipher();
    cipher.#key = await crypto.subtle.importKey("raw", octets, "AES-GCM", false, uses);
    return cipher;
  }

  async encrypt(plaintext, associated = NONE) {
    const how = this.#next(associated);
    return new Uint8Array(await crypto.subtle.encrypt(how, this.#key, plaintext));
  }

  /** Throws NotAuthenticError, after which the cipher must not be used any more. */
  async decrypt(ciphertext, associated = NONE) {
    try {
      const how = this.#next(associated);
      return new Uint8Array(await crypto.subtle.decrypt(how, this.#key, ciphertext));
    } catch (error) {
      if (error instanceof DOMException) throw new NotAuthenticError("it does not decrypt");
      throw error;
    }
  }

  #next(additionalData) {
    const iv = new Uint8Array(12);
    new DataView(iv.buffer).setBigUint64(4, this.#number);
    this.#number += 1n;
    return { name: "AES-GCM", iv, additionalData, tagLength: 8 * TAG_OCTETS };
  }
}

/** The client's side: `begin`, then `finish`. */
export class Initiator {
  #psk;
  #prologue;
  #own;
  #chaining;
  #hash;
  #cipher = null;

  /** `psk` has 32 octets; `ephemeral` is a private key, for tests alone. */
  constructor(psk, prologue, ephemeral = null) {
    this.#psk = psk;
    this.#prologue = prologue;
    this.#own = keyPair(ephemeral);
    // Its failure is told where it is used.
    this.#own.catch(() => {});
  }

  /** The handshake's hash, which names the session once it is done. */
  get hash() {
    return this.#hash;
  }

  /** The first message. */
  async begin(payload = NONE) {
    this.#hash = this.#chaining = utf8(NAME);
    await this.#mixHash(this.#prologue);
    const [chaining, mixed, key] = await hkdf(this.#chaining, this.#psk, 3);
    this.#chaining = chaining;
    await this.#mixHash(mixed);
    this.#cipher = await Cipher.of(key);
    const { publicKey } = await this.#own;
    await this.#mixEphemeral(publicKey);
    return join(publicKey, await this.#encrypt(payload));
  }

  /**
   * Takes the second message; gives `{payload, send, receive}`.
   * Throws NotAuthenticError when the other side does not have the key.
   */
  async finish(message) {
    if (message.length < HANDSHAKE_OCTETS) throw new NotAuthenticError("too short");
    const theirs = message.slice(0, KEY_OCTETS);
    await this.#mixEphemeral(theirs);
    await this.#mixKey(await this.#shared(theirs));
    const payload = await this.#decrypt(message.slice(KEY_OCTETS));
    const [first, second] = await hkdf(this.#chaining, NONE, 2);
    return { payload, send: await Cipher.of(first), receive: await Cipher.of(second) };
  }

  async #shared(theirs) {
    try {
      return await (await this.#own).shared(theirs);
    } catch (error) {
      if (error instanceof LowOrderError) throw new NotAuthenticError("no acceptable key");
      throw error;
    }
  }

  async #mixEphemeral(octets) {
    await this.#mixHash(octets);
    await this.#mixKey(octets);
  }

  async #mixHash(octets) {
    this.#hash = await sha256(join(this.#hash, octets));
  }

  async #mixKey(material) {
    const [chaining, key] = await hkdf(this.#chaining, material, 2);
    this.#chaining = chaining;
    this.#cipher = await Cipher.of(key);
  }

  async #encrypt(plaintext) {
    const ciphertext = await this.#cipher.encrypt(plaintext, this.#hash);
    await this.#mixHash(ciphertext);
    return ciphertext;
  }

  async #decrypt(ciphertext) {
    const plaintext = await this.#cipher.decrypt(ciphertext, this.#hash);
    await this.#mixHash(ciphertext);
    return plaintext;
  }
}

async function sha256(octets) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", octets));
}

async function hmac(keyOctets, octets) {
  const how = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", keyOctets, how, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, octets));
}

/** Noise's HKDF (section 4.3): 2 or 3 outputs. */
async function hkdf(chaining, material, outputs) {
  const secret = await hmac(chaining, material);
  const found = [];
  let last = NONE;
  for (let number = 1; number <= outputs; number += 1) {
    last = await hmac(secret, join(last, Uint8Array.of(number)));
    found.push(last);
  }
  return found;
}
