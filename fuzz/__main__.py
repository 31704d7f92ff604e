"""``python -m fuzz list``, ``python -m fuzz corpus TARGET DIR``, ``python -m fuzz TARGET ...``.

The last takes folders of inputs and libFuzzer's options.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import structlog

import fuzz

_NOT_TARGETS: Final = {"__main__", "script"}


def targets() -> list[str]:
    """Return the names of the targets."""
    names = [module.name for module in pkgutil.iter_modules(fuzz.__path__)]
    return sorted(set(names) - _NOT_TARGETS)


def load(name: str) -> ModuleType:
    """Return a target."""
    return importlib.import_module(f"fuzz.{name}")


def make_corpus(name: str, folder: Path) -> None:
    """Write a target's inputs to begin with, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(load(name).corpus()):
        (folder / f"made-{number:03}").write_bytes(octets)


def fuzz_with_atheris(name: str, options: list[str]) -> None:
    """Search until libFuzzer's options end it."""
    import atheris

    # The target is imported twice: what it includes is known only once it has been read.
    included = load(name).INCLUDE
    again = ("sensed", "fuzz.", *included)
    for loaded in [module for module in sys.modules if module.startswith(again)]:
        del sys.modules[loaded]
    with atheris.instrument_imports(include=list(included)):
        target = load(name)
    atheris.Setup([sys.argv[0], *options], target.one_input)
    atheris.Fuzz()


def main() -> None:
    """Do what the command line asks for."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    match sys.argv[1:]:
        case ["list"]:
            print("\n".join(targets()))
        case ["corpus", name, folder]:
            make_corpus(name, Path(folder))
        case [name, *options] if name in targets():
            fuzz_with_atheris(name, options)
        case _:
            sys.exit(f"{__doc__}\nTargets: {', '.join(targets())}.")


if __name__ == "__main__":
    main()
