"""What README shows first is what the program does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

README = (Path(__file__).parent.parent / "README.md").read_text()


def exact(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def test_the_telegram_going_in_gives_the_reading_coming_out() -> None:
    telegram, reading = re.findall(r"^```(?:json)?\n(.*?)^```", README, re.MULTILINE | re.DOTALL)[
        :2
    ]
    done = subprocess.run(
        [sys.executable, "-m", "sensed", "decode"],
        input=telegram,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert exact(done.stdout) == exact(reading)
