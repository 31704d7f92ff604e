"""The bench's end of QEMU's machine protocol."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.qmp import Qmp, QmpError, QmpReader

GREETING: dict[str, object] = {"QMP": {"version": {}, "capabilities": []}}
EVENT = {"event": "DEVICE_DELETED", "data": {}, "timestamp": {}}


def test_messages_come_out_the_same_for_any_chunking() -> None:
    stream = b"".join(json.dumps(m).encode() + b"\r\n" for m in (GREETING, EVENT, {"return": 7}))

    for size in (1, 2, 7, 50, len(stream)):
        reader = QmpReader()
        parts = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert [m for part in parts for m in reader.receive(part)] == [
            GREETING,
            EVENT,
            {"return": 7},
        ]


@pytest.fixture
def qemu(tmp_path: Path) -> Iterator[Path]:
    """Something that answers as QEMU does, with an event before each answer."""
    answers = {
        "qmp_capabilities": {"return": {}},
        "human-monitor-command": {"return": "0: 0x1"},
        "device_del": {"error": {"class": "DeviceNotFound", "desc": "Device 'meter' not found"}},
    }
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "qmp"
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as requests:
            connection.sendall(json.dumps(GREETING).encode() + b"\n")
            for line in requests:
                command = json.loads(line)["execute"]
                if command not in answers:
                    return
                for message in (EVENT, answers[command]):
                    connection.sendall(json.dumps(message).encode() + b"\n")

    thread = threading.Thread(target=serve)
    thread.start()
    yield path
    thread.join(5)
    listener.close()
    assert not thread.is_alive()


def test_answer_is_found_among_greeting_and_events(qemu: Path) -> None:
    qmp = Qmp(qemu)

    assert qmp.monitor("xp /1wx 0x3f200034") == "0: 0x1"
    qmp.close()


def test_refusal_and_hang_up_are_errors_in_words(qemu: Path) -> None:
    qmp = Qmp(qemu)

    with pytest.raises(QmpError, match="DeviceNotFound: Device 'meter' not found"):
        qmp.execute("device_del", id="meter")
    with pytest.raises(QmpError, match="hung up before it answered quit"):
        qmp.execute("quit")
    qmp.close()
