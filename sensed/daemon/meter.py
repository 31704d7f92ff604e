"""From the meter's port to stamped readings, and what is known of the meter meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from sensed.config import MeterSection
from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.daemon.memory import LineMemory
from sensed.errors import ConfigError
from sensed.han import (
    CarriageReturnsInserted,
    Event,
    HanDecoder,
    ListDecoded,
    ListEncrypted,
    ListMalformed,
    ListUnknown,
    MeterKeys,
    ReadUnverified,
)
from sensed.han.port import (
    BytesReceived,
    MeterPort,
    PortEvent,
    PortLost,
    PortOpened,
    SettingsTried,
    Silence,
)
from sensed.han.port_settings import SerialSettings
from sensed.uplink import MeterIdentity, Sample, Stamp

_log = structlog.get_logger(__name__)

_AUTO: Final = "auto"
_LONGEST_SHOWN: Final = 200
_STABLE_NAMES: Final = (Path("/dev/sensed"), Path("/dev/serial/by-id"))
"""Where udev keeps stable names of USB adapters, ours first."""


TROUBLES: Final = {
    "unknown_list": "Whole telegrams come, but their list is not known: send a capture.",
    "malformed_list": "Whole telegrams come, but what is in them breaks the rules: send a capture.",
    "no_key": "The meter's lists are encrypted: set meter.key, which the grid company knows.",
    "wrong_key": (
        "The meter's lists are encrypted with another key than the one that is set: "
        "ask the grid company for the key of this very meter."
    ),
    "damaged": "The meter's encrypted lists arrive damaged: check the cable and the adapter.",
    "unsupported_security": (
        "The meter encrypts its lists in a way that is not known: send a capture."
    ),
}
"""Why whole telegrams give no reading, and what to do."""

_OF_A_GOOD_FRAME: Final = (ListDecoded, ListEncrypted, ListMalformed, ListUnknown)
"""Events that only octets with a right check sequence can cause."""


class MeterReader:
    """One part of the daemon: reads the port for ever, hands samples and the meter on.

    Each sample is marked with ``boot_id`` and the next of ``numbers``.
    """

    def __init__(
        self,
        section: MeterSection,
        watch: MeterWatch,
        board: FactBoard,
        *,
        on_sample: Callable[[Sample], None],
        on_meter: Callable[[MeterIdentity], None],
        boot_id: str,
        numbers: Iterator[int] | None = None,
        memory: LineMemory | None = None,
        on_port: Callable[[PortEvent], None] = lambda _event: None,
    ) -> None:
        self._section = section
        self._on_port = on_port
        self._memory = memory
        self._watch = watch
        self._on_sample = on_sample
        self._on_meter = on_meter
        self._board = board
        self._boot_id = boot_id
        self._numbers = numbers or itertools.count(1)
        self._identity = MeterIdentity()
        self._known = memory.recall() if memory else None
        self._port: MeterPort | None = None
        self._troubles: set[str] = set()
        self._drops = False

    def stuck(self, now_s: float) -> bool:
        """Tell whether the port has something due, or octets wait, for long."""
        return self._port is not None and self._port.stuck(now_s)

    async def run(self) -> None:
        """Read until cancelled."""
        port = MeterPort(
            self._section.port,
            settings=_settings(self._section.serial),
            known=self._known,
            locate=find_port,
        )
        self._port = port
        decoder = HanDecoder(
            keys=_keys(self._section),
            ct_ratio=self._section.ct_ratio,
            layout=self._section.layout,
        )
        async with contextlib.aclosing(port.events()) as events:
            async for event in events:
                self._on_port(event)
                self._port_event(event, port, decoder)

    def _port_event(self, event: PortEvent, port: MeterPort, decoder: HanDecoder) -> None:
        match event:
            case BytesReceived():
                self._octets(event, port, decoder)
            case Silence():
                for found in decoder.silence():
                    self._decoder_event(found, asyncio.get_running_loop().time())
            case PortOpened(device, settings):
                _log.info("port_opened", device=device, settings=str(settings or "network"))
                self._watch.port_opened()
                self._board.poke()
            case SettingsTried(device, settings):
                _log.info("settings_tried", device=device, settings=str(settings or "network"))
            case PortLost(device, cause):
                code = cause.name.lower()
                _log.warning("port_lost", device=device, cause=code, detail=str(event))
                self._watch.port_lost(code, str(event))
                self._board.poke()

    def _octets(self, event: BytesReceived, port: MeterPort, decoder: HanDecoder) -> None:
        if event.dropped_octets and not self._drops:
            _log.warning("octets_dropped", octets=event.dropped_octets)
        self._drops = event.dropped_octets > 0
        received_s = event.received_monotonic_s
        if self._watch.octets_seen(received_s):
            self._board.poke()
        for found in decoder.receive(event.data):
            if isinstance(found, _OF_A_GOOD_FRAME):
                self._line_works(port)
            self._decoder_event(found, received_s)

    def _line_works(self, port: MeterPort) -> None:
        port.frame_good()
        self._known = port.proven_settings
        if self._known is not None and self._memory is not None:
            self._memory.keep(self._known)

    def _decoder_event(self, event: Event, received_s: float) -> None:
        match event:
            case ListDecoded():
                self._list(event, received_s)
            case ListUnknown(structure):
                self._trouble("unknown_list", received_s, structure=structure)
            case ListMalformed(fault):
                self._trouble("malformed_list", received_s, fault=fault)
            case ListEncrypted(cause):
                self._trouble(cause.value.replace(" ", "_"), received_s)
            case ReadUnverified():
                _log.warning("lists_unverified")
            case CarriageReturnsInserted():
                _log.warning("adapter_alters_octets")
            case _:
                _log.debug("line_event", found=repr(event)[:_LONGEST_SHOWN])

    def _list(self, event: ListDecoded, received_s: float) -> None:
        was_heard = self._watch.verdict(received_s)[0] is True
        self._watch.list_seen(received_s)
        self._troubles.clear()
        stamp = Stamp(datetime.now(UTC), received_s, next(self._numbers), self._boot_id)
        self._on_sample(Sample(event.reading, stamp))
        _log.debug("list", layout=event.layout, **event.reading.present())
        identity = self._identity.learnt_from(event.reading, maker=event.maker)
        if identity != self._identity:
            self._identity = identity
            self._on_meter(identity)
            if identity.meter_id is not None:
                _log.info(
                    "meter_found",
                    meter_id=identity.meter_id,
                    meter_type=identity.meter_type,
                    maker=identity.maker,
                )
        if not was_heard:
            self._board.poke()

    def _trouble(self, cause: str, now_s: float, **fields: str) -> None:
        detail = TROUBLES[cause]
        if self._watch.finding(cause, detail, now_s):
            self._board.poke()
        if cause not in self._troubles:
            self._troubles.add(cause)
            _log.warning("list_unreadable", cause=cause, detail=detail, **fields)


def check_port(port: str) -> None:
    """Refuse a port that exists but can never be read. Raises ConfigError.

    A port that is absent is no error: the adapter may be plugged in later.
    """
    if port == _AUTO or "://" in port:
        return
    try:
        mode = Path(port).stat().st_mode
    except OSError:
        return
    if not stat.S_ISCHR(mode):
        raise ConfigError(f"{port} is not a serial device; set meter.port to the adapter's path.")
    if not os.access(port, os.R_OK | os.W_OK, effective_ids=True):
        raise ConfigError(f"{port} cannot be read by this user; add the user to the group dialout.")


def find_port(port: str) -> str:
    """Return the device to open; for "auto" the first adapter with a stable name.

    Without any adapter the directory of stable names stands for it: opening fails in
    the same way as for an adapter that is not plugged in.
    """
    if port != _AUTO:
        return port
    for folder in _STABLE_NAMES:
        with contextlib.suppress(OSError):
            names = sorted(path for path in folder.iterdir())
            if names:
                return str(names[0])
    return str(_STABLE_NAMES[-1] / _AUTO)


def _settings(serial: str) -> SerialSettings | None:
    return None if serial == _AUTO else SerialSettings.parse(serial)


def _keys(section: MeterSection) -> MeterKeys | None:
    if section.key is None:
        return None
    authentication = section.auth_key
    return MeterKeys(
        encryption=bytes.fromhex(section.key.reveal()),
        authentication=bytes.fromhex(authentication.reveal()) if authentication else None,
    )
