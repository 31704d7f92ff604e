from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.meter import _Wire


class Clock:
    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("harness.meter.time", clock)
    return clock


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "meter"))
        listener.listen()
        yield listener


async def test_a_telegram_that_nobody_reads_is_lost_whole(
    tmp_path: Path, adapter: socket.socket, clock: Clock
) -> None:
    wire = _Wire()
    await wire.write(b"before the plug ")
    await wire.connect(tmp_path / "meter")
    with adapter.accept()[0] as pi:
        await wire.write(b"its rest ")
        for telegram in (b"first ", b"second ", b"third "):
            clock.now_s += 10
            for octet in telegram:
                await wire.write(bytes((octet,)))
                clock.now_s += 0.5
        assert pi.recv(100) == b"first "

        clock.now_s += 10
        await wire.write(b"fourth")
        assert pi.recv(100) == b"fourth"
        await wire.disconnect()
        assert pi.recv(100) == b""
