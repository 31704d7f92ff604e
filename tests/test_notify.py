from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sensed.notify import Notifier


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """The service manager's end, as sd_notify(3) describes it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        sock.settimeout(2)
        yield sock


def test_messages_reach_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with manager(path) as sock:
        notifier = Notifier({"NOTIFY_SOCKET": path})
        notifier.ready()
        notifier.status("meter silent\nfor 31 s")
        notifier.alive()
        notifier.stopping()
        received = [sock.recv(512) for _ in range(4)]
    assert received == [b"READY=1", b"STATUS=meter silent for 31 s", b"WATCHDOG=1", b"STOPPING=1"]


def test_a_reload_carries_the_time_it_began(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with manager(path) as sock:
        before_us = time.monotonic_ns() // 1000
        Notifier({"NOTIFY_SOCKET": path}).reloading()
        told = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", sock.recv(512))
    assert told
    assert before_us <= int(told[1]) <= time.monotonic_ns() // 1000


def test_a_leading_at_sign_names_an_abstract_socket() -> None:
    with manager("\0sensed-test-notify") as sock:
        Notifier({"NOTIFY_SOCKET": "@sensed-test-notify"}).ready()
        assert sock.recv(512) == b"READY=1"


def test_without_a_manager_nothing_happens() -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": "/nonexistent/socket"}).ready()


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_patience_is_read(environ: dict[str, str], expected_s: float | None) -> None:
    assert Notifier(environ).watchdog_s == expected_s
