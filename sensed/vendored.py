"""Libraries that a distribution may lack: its own where it has a fitting one, else ours.

A package of sensed may carry such a library, unaltered, as ``sensed._vendor.<name>``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from types import ModuleType


def library(name: str, *, lowest: tuple[int, ...], below: tuple[int, ...]) -> ModuleType:
    """Return the installed module ``name`` of a version in [``lowest``, ``below``), or ours.

    Raises ImportError when there is neither.
    """
    try:
        version = _numbers(importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        version = ()
    if lowest <= version < below:
        return importlib.import_module(name)
    try:
        return importlib.import_module(f"sensed._vendor.{name}")
    except ModuleNotFoundError as error:
        wanted = f"{name} >= {_dotted(lowest)}, < {_dotted(below)}"
        raise ImportError(f"sensed needs the library {wanted}; install it.") from error


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+", maxsplit=1)[0]))
