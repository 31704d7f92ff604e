"""A fresh Python that imports a decoder and decodes one list: CPU time and memory.

Run ``python -m benchmarks.cold``. The list is a Kamstrup list 2, which all peers read.
Beside them, what importing each library costs that sensed is made of: the floor under it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from benchmarks import rig
from benchmarks.decode import peers_here, telegrams

_TIMES: Final = 5
_TAIL: Final = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
for line in open("/proc/self/status"):
    if line.startswith("VmRSS"):
        print(used.ru_utime + used.ru_stime, int(line.split()[1]) / 1024)
"""
_SENSED: Final = """
from sensed.han import HanDecoder
assert HanDecoder().receive(wire)
"""
_PEERS: Final = {
    "amshan": """
from han.autodecoder import AutoDecoder
from han.hdlc import HdlcFrameReader
assert AutoDecoder().decode_message(HdlcFrameReader(False, True).read(wire)[0])
""",
    "gurux": """
from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
from gurux_dlms.enums import InterfaceType
notification, buffer = GXReplyData(), GXByteBuffer()
buffer.set(wire)
client = GXDLMSClient(True, 1, 1, interfaceType=InterfaceType.HDLC)
client.getData(buffer, GXReplyData(), notification)
assert notification.value
""",
    "collector": """
from smartmeter_datacollector.smartmeter.cosem import Cosem
from smartmeter_datacollector.smartmeter.hdlc_dlms_parser import HdlcDlmsParser
parser = HdlcDlmsParser(Cosem("bench"))
parser.append_to_hdlc_buffer(wire)
assert parser.extract_data_from_hdlc_frames()
moment = parser.extract_message_time()
assert parser.convert_dlms_bundle_to_reader_data(parser.parse_to_dlms_objects(), moment)
""",
}
LIBRARIES: Final = {
    "Python": "pass",
    "asyncio, with ssl": "import asyncio",
    "aiomqtt": "import aiomqtt",
    "structlog": "import structlog",
    "pyserial-asyncio": "import serial_asyncio",
    "gpiozero": "import gpiozero",
    "dbus-next": "import dbus_next.aio",
    "all of these": (
        "import aiomqtt, structlog, serial_asyncio, gpiozero, gpiozero.pins.mock, "
        "dbus_next.aio, ifaddr"
    ),
    "those of them used without light and bus": (
        "import aiomqtt, structlog, serial_asyncio, ifaddr"
    ),
}
"""Named dependencies of the daemon."""


class Cold(NamedTuple):
    """User and system time from the start of Python, the least of some runs; memory."""

    cpu_ms: float
    resident_mib: float


def measure(code: str) -> Cold:
    """Run ``code`` in fresh interpreters."""
    runs = []
    for _ in range(_TIMES):
        done = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-c", code + _TAIL],
            capture_output=True,
            text=True,
            check=True,
            env=rig.plain_environment(),
        )
        cpu_s, mib = done.stdout.split()
        runs.append(Cold(float(cpu_s) * 1e3, float(mib)))
    return Cold(min(run.cpu_ms for run in runs), min(run.resident_mib for run in runs))


def decoders() -> Iterator[tuple[str, Cold]]:
    """Yield each decoder's cost for its first list."""
    wire = f"wire = {telegrams('kamstrup-3ph', 'list2', 1)[0]!r}\n"
    yield "sensed", measure(wire + _SENSED)
    for name in peers_here():
        yield name, measure(wire + _PEERS[name])


def libraries() -> Iterator[tuple[str, Cold]]:
    """Yield what importing each library costs."""
    for name, code in LIBRARIES.items():
        yield name, measure(code)


def main() -> None:
    """Print both."""
    argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__).parse_args()
    rig.compile_sensed()
    for table in (decoders(), libraries()):
        for name, cold in table:
            print(f"{name:42}{cold.cpu_ms:6.0f} ms of CPU {cold.resident_mib:6.1f} MiB")


if __name__ == "__main__":
    main()
