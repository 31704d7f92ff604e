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


def test_the_commands_readme_names_are_there() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "sensed", "--help"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    for command in set(re.findall(r"`sensed ([a-z]+)", README)) - {"COMMAND"}:
        assert command in help_text
    for script in set(re.findall(r"scripts/[a-z-]+", README)):
        assert (Path(__file__).parent.parent / script).stat().st_mode & 0o111, script
