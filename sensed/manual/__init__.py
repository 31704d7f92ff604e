"""What is generated from the command line and the settings: man pages, completion, example.

``python3 -m sensed.manual DIRECTORY`` writes them all; the Debian package is built with it.
"""

from __future__ import annotations
