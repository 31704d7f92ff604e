from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sensed
from sensed.vendored import library


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of sensed that carries the library ``lamp``."""
    folder = tmp_path / "_vendor"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "lamp.py").write_text("origin = 'ours'\n", encoding="utf-8")
    # Before what an installed package of sensed may carry itself.
    monkeypatch.setattr("sensed.__path__", [str(tmp_path), *sensed.__path__])
    kept = {name: sys.modules.pop(name) for name in ours_in_memory()}
    yield "lamp"
    for name in ["lamp", *ours_in_memory()]:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


def ours_in_memory() -> list[str]:
    return [name for name in sys.modules if name.startswith("sensed._vendor")]


def install(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lamp.py").write_text("origin = 'theirs'\n", encoding="utf-8")
    info = folder / f"lamp-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lamp\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize(
    ("version", "origin"),
    [
        ("2.4.9", "ours"),
        ("2.5", "theirs"),
        ("2.5.1", "theirs"),
        ("2.10.0+local", "theirs"),
        ("3.0.0", "ours"),
    ],
)
def test_prefers_the_systems_library_only_in_the_range_that_is_known(
    version: str, origin: str, carried: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, version, monkeypatch)

    found = library(carried, lowest=(2, 5), below=(3,))

    assert found.origin == origin


def test_takes_the_carried_library_where_the_system_has_none(carried: str) -> None:
    assert library(carried, lowest=(2, 5), below=(3,)).origin == "ours"


def test_says_which_library_is_missing() -> None:
    with pytest.raises(ImportError, match=r"needs the library nosuchlamp >= 1, < 2"):
        library("nosuchlamp", lowest=(1,), below=(2,))
