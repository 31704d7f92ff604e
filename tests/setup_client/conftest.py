from __future__ import annotations

from tests.provisioning.conftest import dbus, library

__all__ = ["dbus", "library"]
