from __future__ import annotations

import asyncio
import contextlib
import io
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.cli import main
from sensed.control import ControlServer, command_of, decode, encode, request
from sensed.errors import PortError, SensedError, WireError
from tests.waiting import until


async def opened(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"open_s": 300, "asked": dict(asked)}


async def refused(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
    raise SensedError("Not now: try later.")


async def reset(_asked: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"networks": 1}


HANDLERS = {"setup-open": opened, "setup-close": refused, "setup-reset": reset}


@pytest.fixture
def only_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("sensed.cli.COMMANDS", ("setup",))


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    socket_path = tmp_path / "control"
    socket_path.touch()  # what a dead daemon left
    task = asyncio.create_task(ControlServer(socket_path, HANDLERS).run())
    await until(socket_path.is_socket)
    await asyncio.sleep(0.01)
    yield socket_path
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert not socket_path.exists()


async def ask(path: Path, command: str, **arguments: Any) -> dict[str, Any]:
    return await asyncio.to_thread(request, path, command, **arguments)


async def raw(path: Path, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(octets)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_one_line_each_way(path: Path) -> None:
    assert mode(path) == 0o660
    answer = await ask(path, "setup-open", minutes=5)
    assert answer == {"open_s": 300, "asked": {"command": "setup-open", "minutes": 5}}


async def test_a_refusal_is_the_daemons_sentence(path: Path) -> None:
    with pytest.raises(SensedError, match=r"Not now: try later\."):
        await ask(path, "setup-close")
    with pytest.raises(SensedError, match="not known"):
        await ask(path, "format-disk")


@pytest.mark.parametrize(
    "octets", [b"\n", b"[]\n", b"{}\n", b'{"command":1}\n', b"\xff\n", b"[" * 4000 + b"\n"]
)
async def test_nonsense_is_refused(path: Path, octets: bytes) -> None:
    answer = decode(await raw(path, octets))
    assert answer["ok"] is False


async def test_a_line_without_end_is_cut_off(path: Path) -> None:
    assert decode(await raw(path, b"x" * 5000))["ok"] is False
    assert (await ask(path, "setup-open"))["open_s"] == 300


async def test_a_silent_crowd_does_not_lock_others_out_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.control._PATIENCE_S", 0.2)
    crowd = [await asyncio.open_unix_connection(path) for _ in range(20)]
    await asyncio.sleep(0.3)
    assert (await ask(path, "setup-open"))["open_s"] == 300
    for _reader, writer in crowd:
        writer.close()


def test_no_daemon_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="not running"):
        request(tmp_path / "none", "setup-open")


async def test_a_second_daemon_leaves_the_first_one_s_socket_alone(path: Path) -> None:
    second = asyncio.create_task(ControlServer(path, {}).run())
    await asyncio.sleep(0.05)
    assert await ask(path, "setup-open")
    second.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await second
    assert await ask(path, "setup-open")


async def test_a_directory_that_is_missing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.control.Backoff", lambda *_: _Soon())
    where = tmp_path / "run" / "control"
    task = asyncio.create_task(ControlServer(where, HANDLERS).run())
    await asyncio.sleep(0.03)
    where.parent.mkdir()
    await until(where.is_socket)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


class _Soon:
    def delay_s(self, _failures: int) -> float:
        return 0.01


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["open"], 0, "open for 5 minutes"),
        (["close"], 2, "Not now: try later."),
        (["reset", "--yes"], 0, "Forgot 1 Wi-Fi network and"),
    ],
)
@pytest.mark.usefixtures("only_setup", "path")
async def test_commands(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["setup", *arguments]) == code
    told = capsys.readouterr()
    assert words in told.out + told.err


@pytest.mark.parametrize(("reply", "code"), [("n", 1), ("", 1), ("yes", 0)])
async def test_reset_asks_first(
    path: Path, reply: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _question: reply)
    monkeypatch.setattr("sensed.cli.COMMANDS", ("setup",))
    command = ["setup", "reset", "--socket", str(path)]
    assert await asyncio.to_thread(main, command) == code


def test_reset_without_anybody_to_ask_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["setup", "reset"]) == 2
    assert "--yes" in capsys.readouterr().err


@given(st.binary(max_size=200))
def test_any_line_is_a_message_or_an_error(line: bytes) -> None:
    try:
        command_of(decode(line))
    except WireError:
        return


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans())))
def test_a_message_survives_its_line(message: dict[str, Any]) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message
