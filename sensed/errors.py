"""The project's error tree.

Two families: errors a caller is expected to handle, whose text is one
sentence with the remedy, and bugs, which crash their task loudly so that the
supervisor restarts it.
"""

from __future__ import annotations


class SensedError(Exception):
    """Root of every error that sensed raises on purpose."""


# -- to be handled by the caller ------------------------------------------------


class ConfigError(SensedError, ValueError):
    """A setting or a command-line argument is wrong; the text says how to mend it."""


class WireError(SensedError, ValueError):
    """Bytes from outside break their protocol."""


class PortError(SensedError, OSError):
    """The meter's port cannot be opened or has gone away."""


class UplinkError(SensedError, ConnectionError):
    """The broker cannot be reached, refuses, or has stopped acknowledging."""


class LightError(SensedError, OSError):
    """The LED's lines cannot be had; readings go on without them."""


# -- not to be handled: a mistake in sensed itself -------------------------------


class BugError(SensedError, RuntimeError):
    """An impossible state was reached."""
