"""Libraries that a distribution may lack: its own where it has a fitting one, else ours.

A package of sensed may carry such a library, unaltered, as ``sensed._vendor.<name>``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from types import ModuleType


def library(name: str, *, lowest: tuple[int, ...], below: tuple[int, ...]) -> ModuleType:
    """Return the installed module ``name`` of a version in [``lowest``, ``below``), or ours.

    Raises ImportError when there is neither.
    """
    if importlib.util.find_spec(name) and lowest <= _version(name) < below:
        return importlib.import_module(name)
    try:
        return importlib.import_module(f"sensed._vendor.{name}")
    except ModuleNotFoundError as error:
        wanted = f"{name} >= {_dotted(lowest)}, < {_dotted(below)}"
        raise ImportError(f"sensed needs the library {wanted}; install it.") from error


def _version(name: str) -> tuple[int, ...]:
    # Takes long to load, and most often there is no version to ask for.
    from importlib import metadata

    try:
        return _numbers(metadata.version(name))
    except metadata.PackageNotFoundError:
        return ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+", maxsplit=1)[0]))
