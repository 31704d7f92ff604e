"""Where settings and what the daemon keeps have their places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ETC_PATH: Final = Path("/etc/sensed/sensed.toml")
"""The administrator's file; the daemon never writes it."""

STATE_FOLDER: Final = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/sensed"))
"""What the daemon keeps: systemd names the folder that it has made for it."""

STATE_PATH: Final = STATE_FOLDER / "settings.toml"
"""What the phone set."""
