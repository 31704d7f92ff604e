"""The daemon: every part composed once, supervised, and stopped cleanly.

Public door: :class:`Daemon`, :func:`run_daemon`.
"""

from __future__ import annotations

from sensed.daemon.daemon import Daemon, run_daemon

__all__ = ["Daemon", "run_daemon"]
