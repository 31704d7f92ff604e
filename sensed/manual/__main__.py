"""``python3 -m sensed.manual DIRECTORY``: write everything that is generated.

The date on the man pages is SOURCE_DATE_EPOCH's, so that a build can be repeated.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from sensed import __version__
from sensed.cli import build_parser
from sensed.manual import completion, man
from sensed.manual.example import example_settings
from sensed.manual.model import read_parser


def write(folder: Path) -> None:
    """Write the files into ``folder``."""
    epoch_s = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = datetime.fromtimestamp(epoch_s, UTC).date().isoformat()
    program = read_parser(build_parser())
    files = {
        "sensed.1": man.command_page(program, version=__version__, date=date),
        "sensed.toml.5": man.settings_page(version=__version__, date=date),
        "bash/sensed": completion.bash(program),
        "zsh/_sensed": completion.zsh(program),
        "fish/sensed.fish": completion.fish(program),
        "sensed.toml": example_settings(),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
