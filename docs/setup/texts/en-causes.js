// English: why something did not work.

export default Object.freeze({
  "end.wrong-code": "This device has another set-up code. Compare the code with its label.",
  "end.locked": "Too many wrong codes. The device tries the next one in {seconds} seconds.",
  "end.locked-long": "Too many wrong codes. The device tries the next one in {minutes} minutes.",
  "end.protocol": "The device did not understand this page. Reload the page and try again.",
  "end.timeout": "The device waited too long. Go nearer and connect again.",
  "end.closed":
    "Set-up was closed on the device. Open it again with its button or the command `sudo sensed setup open`.",
  "end.version":
    "The device speaks another version than this page. Update sensed on the device, and reload the page.",
  "end.reset":
    "The device was reset and has a new set-up code. The command `sudo sensed setup code` prints it.",
  "end.impostor":
    "What answers does not know the set-up code. Perhaps it is another device; nothing was told to it.",
  "end.broken": "What came from the device was damaged. Connect again.",
  "end.lost": "The connection was lost. Go nearer and connect again.",
  "end.silent": "The device has stopped answering. Go nearer and connect again.",
  "end.left": "The connection was ended.",
  "end.occupied": "Another phone or laptop is connected to the device. Disconnect it there, or wait.",
  "end.not-open":
    "Set-up is not open. Open it with the device's button or the command `sudo sensed setup open`.",
  "end.not-chosen": "No device was chosen.",
  "end.no-bluetooth":
    "The browser did not let the page use Bluetooth. Check whether Bluetooth is on and allowed for the browser.",
  "end.unreachable": "The device cannot be reached. Go nearer and try again.",
  "end.not-sensed":
    "This is no sensed device, or its version is too old for this page, or encrypted set-up is switched off there.",

  "code.bad-request": "The device did not understand what this page asked for. Reload the page.",
  "code.unknown-request": "This version of sensed cannot do that. Update it.",
  "code.busy": "The device is still working on something else. Try again in a moment.",
  "code.failed": "The device could not do it. Its journal tells why: `journalctl -u sensed`",
  "code.timeout": "It took too long. Try again.",
  "code.too-long": "That is too much for one message. Save the certificates by themselves.",
  "code.unknown": "The device gives a reason that this page does not know: {code}",

  "code.wrong-password": "The network does not accept this password.",
  "code.ssid-not-found":
    "The network is not seen from the device. Many devices see 2.4 GHz networks only, while the phone may be on 5 GHz.",
  "code.no-dhcp": "The network gives no address. Look at the router's DHCP.",
  "code.supplicant":
    "The network does not let the device in. Check the password; if it is right, switch the router from WPA3 to WPA2.",
  "code.wifi-blocked":
    "Wi-Fi is blocked on the device: set the Wi-Fi country with `raspi-config`, or unblock it with `rfkill`.",
  "code.no-wifi": "The device has no Wi-Fi adapter that can be used.",
  "code.permission": "The device's program may not change networks. Reinstall its package.",
  "code.security-unsupported":
    "This kind of Wi-Fi security cannot be used with a password alone.",
  "code.hardware": "The Wi-Fi adapter failed. Restart the device.",
  "code.network-manager": "NetworkManager on the device refused, or is not running.",
  "code.not-saved": "The network works, but could not be saved. Try again.",

  "code.unknown-setting": "The device does not know this setting. Update sensed on the device.",
  "code.locked": "This setting is fixed in `/etc/sensed/sensed.toml` and cannot be changed here.",
  "code.invalid": "The device does not accept this value.",
  "code.contradiction": "The settings do not fit each other.",
  "code.not-stored": "The settings could not be written. Is the device's disk full?",
  "code.broker-dns": "The broker's name is not known in the network. Check it, or type an address.",
  "code.broker-refused": "Nobody listens on this port. Check that the broker runs, and the port.",
  "code.broker-unreachable": "The broker's address cannot be reached. Check it and the network.",
  "code.broker-timeout": "The broker does not answer. Check the address and the firewall.",
  "code.broker-tls":
    "No encrypted connection: check the TLS setting, the port, the broker's certificate and its name.",
  "code.broker-clock":
    "The broker's certificate is not valid yet, so the device's clock is wrong. Wait until it has the network's time.",
  "code.broker-version": "The broker does not accept this version of MQTT. Choose the other one.",
  "code.broker-identifier": "The broker does not accept the device's client id. Choose another.",
  "code.broker-unavailable": "The broker accepts no connections now. Try again later.",
  "code.broker-not-authorised": "The broker rejects the user name or password.",
  "code.broker-not-permitted":
    "The broker does not let the device write and read its own topics. Allow it in the broker's access list.",
  "code.broker-no-acknowledgement": "The broker has stopped acknowledging.",
  "code.broker-protocol": "What listens there does not speak MQTT. Check the port and the TLS setting.",
  "code.broker-taken-over":
    "Another client of the broker goes by the same client id. Give each device an id of its own.",
  "code.broker-lost": "The connection to the broker broke.",

  "cause.configured.no_broker": "No broker is set.",
  "cause.configured.no_network": "No Wi-Fi network is saved and no cable is connected.",
  "cause.meter.no_octets":
    "Nothing comes from the adapter. Check the cable, and ask the grid company whether the HAN port is open.",
  "cause.meter.no_frames": "Something comes, but no whole telegram. Check the cable and the adapter.",
  "cause.meter.no_device": "There is no adapter. Plug it in.",
  "cause.meter.permission": "The program may not open the adapter.",
  "cause.meter.busy": "Another program has the adapter open.",
  "cause.meter.not_a_tty": "What is set as the adapter is no serial device.",
  "cause.meter.settings": "The adapter cannot do the line format.",
  "cause.meter.unplugged": "The adapter was unplugged or failed.",
  "cause.meter.unreachable": "The serial server does not answer.",
  "cause.meter.closed": "The serial server closed the connection.",
  "cause.meter.unknown_list": "Telegrams come, but their list is not known. Please send a capture.",
  "cause.meter.malformed_list":
    "Telegrams come, but what is in them breaks the rules. Please send a capture.",
  "cause.meter.no_key": "The lists are encrypted. Enter the key from the grid company.",
  "cause.meter.wrong_key": "The lists are encrypted, and the key does not fit.",
  "cause.meter.damaged": "The lists arrive damaged. Check the cable.",
  "cause.meter.unsupported_security": "The lists are encrypted in a way that is not supported.",
  "cause.address.no_address": "No link has an address. Check Wi-Fi, cable and DHCP.",
  "cause.address.wifi-blocked": "Wi-Fi is blocked. Set the Wi-Fi country, or unblock it with `rfkill`.",
  "cause.light.light_unavailable": "The light's lines cannot be used.",
  "cause.bluetooth.no-dbus": "There is no system D-Bus.",
  "cause.bluetooth.no-bluez": "BlueZ is not running.",
  "cause.bluetooth.no-adapter": "There is no Bluetooth adapter.",
  "cause.bluetooth.adapter-blocked": "The Bluetooth adapter is blocked.",
  "cause.bluetooth.refused": "BlueZ refused.",
  "cause.network_manager.absent": "It is not running, or has no D-Bus.",
});
