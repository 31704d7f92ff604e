"""What takes minutes runs only when it is asked for by scripts/test-endurance."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_DEADLINE_S = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="takes minutes: run scripts/test-endurance")
    for item in items:
        if item.get_closest_marker("endurance"):
            item.add_marker(pytest.mark.timeout(_DEADLINE_S, func_only=False))
            if not os.environ.get("SENSED_ENDURANCE"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that records a process's steps, or lets them fail."""
    compiler = shutil.which("cc")
    assert compiler is not None, "a C compiler is missing: apt install gcc libc6-dev"
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, "-o", made, _HERE / "shim.c"], check=True, timeout=60)
    return made


_FIGURES: list[str] = []


@pytest.fixture
def figures() -> list[str]:
    """Return what the run tells at its end: a line each."""
    return _FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the figures that were measured."""
    for line in _FIGURES:
        terminalreporter.write_line(line)
