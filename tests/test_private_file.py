from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sensed.private_file import forget_private, write_private


def test_the_file_is_this_users_alone_whatever_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        write_private(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_laid_in_its_way_leads_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"theirs")
    (tmp_path / "secret.new").symlink_to(elsewhere)
    write_private(tmp_path / "secret", b"ours")
    assert elsewhere.read_bytes() == b"theirs"
    assert not (tmp_path / "secret").is_symlink()


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_what_fails_on_the_way_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "secret"
    write_private(path, b"old")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, "replace") if call == "replace" else (os, call)), full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    write_private(path, b"newer")
    assert path.read_bytes() == b"newer"


def test_what_is_forgotten_is_gone_even_if_it_was_not_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"old")
    forget_private(path)
    assert not path.exists()
    forget_private(path)
