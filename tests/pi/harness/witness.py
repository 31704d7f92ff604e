"""Somebody at the Pi who can tell when a fact has changed, by the clock of this machine."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.pi import Pi

_SCRIPT = Path(__file__).parents[1] / "bench" / "witness.py"
_LOOKS = 20


class Witness:
    """Stays on the Pi while in use, so that asking takes no time worth speaking of."""

    def __init__(self, pi: Pi) -> None:
        pi.write("/tmp/witness.py", _SCRIPT.read_text())
        self._process = pi.shell.start("python3 -u /tmp/witness.py", listens=True)
        self._ahead_s, self.doubt_s = min(
            (self._compare() for _ in range(_LOOKS)), key=lambda look: look[1]
        )

    def changed_s(self, fact: str) -> float:
        """Return when a fact became what it is, monotonic, give or take ``doubt_s``."""
        answer = self._ask("status")
        age_s: float = answer["status"]["facts"][fact]["age_s"]
        return float(answer["at_s"]) - age_s - self._ahead_s

    def _compare(self) -> tuple[float, float]:
        """Return how far the Pi's clock is ahead and how wrong that may be, in seconds."""
        asked_s = time.monotonic()
        at_s: float = self._ask("clock")["at_s"]
        answered_s = time.monotonic()
        return at_s - (asked_s + answered_s) / 2, (answered_s - asked_s) / 2

    def _ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what.encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
