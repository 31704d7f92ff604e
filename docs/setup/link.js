// A link to the device over Web Bluetooth, as core/conversation.js wants it.

import { within } from "./core/conversation.js";
import { SessionEndedError } from "./core/session.js";

const uuid = (number) => `e11e000${number}-deca-47b1-8ff5-e6e0c62470de`;
const SETUP_SERVICE = uuid(0);
const INFO = uuid(1);
const RX = uuid(2);
const TX = uuid(3);
const IMPROV_SERVICE = "00467768-6228-2272-4663-277478268000";
const CONNECT_MS = 25_000;

/** Whether this browser speaks Bluetooth, and if not, why: a key of the texts, or null. */
export async function obstacle() {
  if (!window.isSecureContext) return "insecure";
  if (!navigator.bluetooth) return isApple() ? "apple" : "browser";
  const isOn = (await navigator.bluetooth.getAvailability?.()) ?? true;
  return isOn ? null : "adapter";
}

function isApple() {
  const agent = navigator.userAgent;
  return /iPhone|iPad|iPod/.test(agent) || (/Mac/.test(agent) && navigator.maxTouchPoints > 1);
}

/** Lets the person choose a device. Throws SessionEndedError: `not-chosen`. */
export async function chooseDevice() {
  try {
    return await navigator.bluetooth.requestDevice({
      filters: [{ services: [SETUP_SERVICE] }, { services: [IMPROV_SERVICE] }],
      optionalServices: [SETUP_SERVICE],
    });
  } catch (error) {
    if (error.name === "NotFoundError") throw new SessionEndedError("not-chosen");
    throw new SessionEndedError("no-bluetooth", 0, error.message);
  }
}

/** One connection to a device. */
export class BluetoothLink {
  #device;
  #info = null;
  #rx = null;
  #tx = null;
  #isClosed = false;

  onFrame = () => {};
  onLost = () => {};

  /** Throws SessionEndedError: `unreachable`, `not-sensed`. */
  static async open(device) {
    const link = new BluetoothLink(device);
    try {
      const late = () => new SessionEndedError("unreachable");
      await within(CONNECT_MS, link.#open(), late);
    } catch (error) {
      link.close();
      if (error instanceof SessionEndedError) throw error;
      const why = error.name === "NotFoundError" ? "not-sensed" : "unreachable";
      throw new SessionEndedError(why, 0, error.message);
    }
    return link;
  }

  constructor(device) {
    this.#device = device;
  }

  async #open() {
    this.#device.addEventListener("gattserverdisconnected", this.#lost);
    const server = await this.#device.gatt.connect();
    const service = await server.getPrimaryService(SETUP_SERVICE);
    this.#info = await service.getCharacteristic(INFO);
    this.#rx = await service.getCharacteristic(RX);
    this.#tx = await service.getCharacteristic(TX);
    this.#tx.addEventListener("characteristicvaluechanged", this.#heard);
    await this.#tx.startNotifications();
  }

  async readInfo() {
    return octets(await this.#info.readValue());
  }

  async write(frame) {
    await this.#rx.writeValueWithResponse(frame);
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#device.removeEventListener("gattserverdisconnected", this.#lost);
    this.#tx?.removeEventListener("characteristicvaluechanged", this.#heard);
    this.#device.gatt.disconnect();
  }

  #heard = (event) => this.onFrame(octets(event.target.value));

  #lost = () => this.onLost();
}

function octets(view) {
  return new Uint8Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
