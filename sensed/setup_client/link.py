"""The radio side, over bleak; nothing else in sensed imports that library."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from sensed.errors import SensedError
from sensed.provisioning import encrypted, improv
from sensed.provisioning.encrypted import Endpoint

_CONNECT_S: Final = 30.0
_CALL_S: Final = 15.0
_OTHERS_S: Final = 3.0
"""After the first device was seen: for others to show that there is a choice."""
_FRAMES_KEPT: Final = 512
"""Twice the longest message on the smallest link."""


class LinkLostError(SensedError, ConnectionError):
    """There is no Bluetooth here, or the link to the device cannot be had or was lost."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device that can be set up; ``rssi_dbm`` as heard here."""

    name: str
    address: str
    rssi_dbm: int
    handle: Any = field(repr=False, compare=False)

    def is_called(self, wanted: str) -> bool:
        """Return whether somebody who says ``wanted`` means this one."""
        return wanted.casefold() in (self.name.casefold(), self.address.casefold())


async def find(longest_s: float, *, wanted: str | None = None) -> list[Found]:
    """Return the devices around, the nearest first; at once the one that is ``wanted``.

    ``wanted`` is a name or an address, "" for any. Raises LinkLostError.
    """
    bleak = _bleak()
    seen: dict[str, Found] = {}
    changed = asyncio.Event()

    def saw(device: Any, advertisement: Any) -> None:
        # The name comes in the scan response, of which not every report has one.
        known = seen[device.address].name if device.address in seen else ""
        name = advertisement.local_name or known or device.name or ""
        seen[device.address] = Found(name, device.address, advertisement.rssi, device)
        changed.set()

    services = [encrypted.SERVICE_UUID, improv.SERVICE_UUID]
    with _told():
        async with _scanning(make_scanner(bleak, saw, services)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(longest_s) as limit:
                    await changed.wait()
                    if wanted == "":
                        soon_s = asyncio.get_running_loop().time() + _OTHERS_S
                        limit.reschedule(min(soon_s, limit.when() or soon_s))
                    while not (wanted and any(one.is_called(wanted) for one in seen.values())):
                        changed.clear()
                        await changed.wait()
    return sorted(seen.values(), key=lambda one: -one.rssi_dbm)


class Link:
    """A connection to the encrypted service of one device."""

    def __init__(self, client: Any) -> None:
        """Use a client that is connected."""
        self._client = client
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue(_FRAMES_KEPT)

    def lost(self) -> None:
        """Note that the link is gone."""
        # What came before it still counts.
        if not self._frames.full():
            self._frames.put_nowait(None)

    async def info(self) -> bytes:
        """Return what the device says in clear. Raises LinkLostError."""
        with _told():
            async with asyncio.timeout(_CALL_S):
                return bytes(await self._client.read_gatt_char(Endpoint.INFO.uuid))

    async def listen(self) -> None:
        """Begin to hear the device. Raises LinkLostError."""
        with _told():
            async with asyncio.timeout(_CALL_S):
                await self._client.start_notify(Endpoint.TX.uuid, self._notified)

    async def write(self, frame: bytes) -> None:
        """Send a frame. Raises LinkLostError."""
        with _told():
            async with asyncio.timeout(_CALL_S):
                await self._client.write_gatt_char(Endpoint.RX.uuid, frame, response=True)

    async def hear(self, longest_s: float) -> bytes:
        """Return the next frame. Raises LinkLostError."""
        try:
            async with asyncio.timeout(longest_s):
                frame = await self._frames.get()
        except TimeoutError:
            raise LinkLostError("The device does not answer: go nearer, and try again.") from None
        if frame is None:
            raise LinkLostError("The link to the device was lost: go nearer, and try again.")
        return frame

    def _notified(self, _characteristic: Any, value: bytearray) -> None:
        if self._frames.full():
            self._frames.get_nowait()  # The gap in the numbers will be seen.
        self._frames.put_nowait(bytes(value))


@contextlib.asynccontextmanager
async def connected(found: Found) -> AsyncIterator[Link]:
    """Connect to a device, and disconnect in the end. Raises LinkLostError."""
    bleak = _bleak()
    links: list[Link] = []

    def lost(_client: Any) -> None:
        for link in links:
            link.lost()

    client = make_client(bleak, found.handle, lost)
    with _told():
        async with asyncio.timeout(_CONNECT_S):
            await client.connect()
    try:
        if client.services.get_characteristic(Endpoint.RX.uuid) is None:
            raise LinkLostError(
                f"{found.name} has no encrypted set-up: it is another make, an older version, "
                "or has it switched off."
            )
        links.append(Link(client))
        yield links[0]
    finally:
        with contextlib.suppress(LinkLostError), _told():
            async with asyncio.timeout(_CALL_S):
                await client.disconnect()


@contextlib.asynccontextmanager
async def _scanning(scanner: Any) -> AsyncIterator[None]:
    """Scan while the context lasts. Raises LinkLostError."""
    try:
        # A bus that is told to start BlueZ, and cannot, says so only after 25 s.
        async with asyncio.timeout(_CALL_S):
            await scanner.start()
    except TimeoutError:
        raise LinkLostError(
            "Bluetooth does not answer here: systemctl status bluetooth tells why."
        ) from None
    try:
        yield
    finally:
        # BlueZ ends a scan itself when who asked for it is gone.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CALL_S):
                await scanner.stop()


def make_scanner(bleak: ModuleType, saw: Callable[[Any, Any], None], services: list[str]) -> Any:
    """Return bleak's scanner."""
    return bleak.BleakScanner(detection_callback=saw, service_uuids=services)


def make_client(bleak: ModuleType, handle: Any, on_lost: Callable[[Any], None]) -> Any:
    """Return bleak's client for a device, not connected."""
    return bleak.BleakClient(handle, disconnected_callback=on_lost, timeout=_CONNECT_S)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Tell in one sentence what the library and what is beneath it raise."""
    bleak = _bleak()
    try:
        yield
    except TimeoutError:
        raise LinkLostError("The device does not answer: go nearer, and try again.") from None
    except FileNotFoundError:
        # The bus's socket: nothing else here is a file.
        raise LinkLostError(
            "There is no D-Bus here, which Bluetooth needs: sudo apt install dbus bluez."
        ) from None
    except (bleak.exc.BleakError, OSError, EOFError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise LinkLostError(f"Bluetooth failed: {reason}.") from None


def _bleak() -> ModuleType:
    try:
        import bleak
    except ImportError:
        raise SensedError(
            "Set-up from here needs the library bleak: sudo apt install python3-bleak."
        ) from None
    return bleak
