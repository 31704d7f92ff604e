"""The daemon, made to hang by SIGUSR1 in the middle of its event loop."""

from __future__ import annotations

import signal
import sys
import time

from sensed.cli import main


def hang_for_good(*_: object) -> None:
    time.sleep(3600)


signal.signal(signal.SIGUSR1, hang_for_good)
sys.exit(main(["run"]))
