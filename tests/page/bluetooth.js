// navigator.bluetooth on the tests' own phone: every call goes to Python, which has the radio.
// It keeps to what browsers do: a person's gesture to choose, one GATT operation at a time.
(() => {
  const waiting = new Map();
  let count = 0;
  let isBusy = false;

  const call = (what, ...args) =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, { resolve, reject });
      radio(JSON.stringify({ id: count, what, args }));
    });

  const operate = async (...what) => {
    if (isBusy) throw new DOMException("GATT operation already in progress.", "NetworkError");
    isBusy = true;
    try {
      return await call(...what);
    } finally {
      isBusy = false;
    }
  };

  const view = (hex) =>
    new DataView(Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)).buffer);
  const hex = (octets) =>
    Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

  class Characteristic extends EventTarget {
    value = null;

    constructor(uuid) {
      super();
      this.uuid = uuid;
    }

    async readValue() {
      this.value = view(await operate("read", this.uuid));
      return this.value;
    }

    async writeValueWithResponse(octets) {
      await operate("write", this.uuid, hex(new Uint8Array(octets)));
    }

    async startNotifications() {
      await operate("subscribe", this.uuid);
      return this;
    }
  }

  class Device extends EventTarget {
    id = "device";
    characteristics = new Map();

    constructor(name) {
      super();
      this.name = name;
      const device = this;
      this.gatt = {
        connected: false,
        async connect() {
          await call("connect");
          device.characteristics.clear();
          this.connected = true;
          return this;
        },
        disconnect() {
          if (!this.connected) return;
          this.connected = false;
          call("disconnect");
        },
        async getPrimaryService(uuid) {
          const found = await operate("service", uuid);
          for (const one of found) device.characteristics.set(one, new Characteristic(one));
          return {
            async getCharacteristic(wanted) {
              const one = device.characteristics.get(wanted);
              if (!one) throw new DOMException("No Characteristics matching.", "NotFoundError");
              return one;
            },
          };
        },
      };
    }
  }

  let device = null;
  const bluetooth = {
    getAvailability: async () => true,
    async requestDevice(options) {
      if (!navigator.userActivation.isActive) {
        throw new DOMException("Must be handling a user gesture.", "SecurityError");
      }
      device = new Device(await call("choose", options));
      return device;
    },
  };
  Object.defineProperty(Navigator.prototype, "bluetooth", { get: () => bluetooth });

  Object.defineProperty(window, "phone", {
    value: {
      answer: (id, value) => waiting.get(id).resolve(value),
      refuse: (id, name, message) => waiting.get(id).reject(new DOMException(message, name)),
      notify(uuid, octets) {
        const one = device?.characteristics.get(uuid);
        if (!one || !device.gatt.connected) return;
        one.value = view(octets);
        one.dispatchEvent(new Event("characteristicvaluechanged"));
      },
      lost() {
        device.gatt.connected = false;
        device.dispatchEvent(new Event("gattserverdisconnected"));
      },
    },
  });
})();
