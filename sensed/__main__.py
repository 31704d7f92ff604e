"""``python -m sensed``: the same as the ``sensed`` command."""

from __future__ import annotations

import sys

from sensed.cli import main

if __name__ == "__main__":
    sys.exit(main())
