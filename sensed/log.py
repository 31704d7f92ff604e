"""Logging: one structlog event per thing worth a person's time.

Under systemd in the journal, on a terminal readable and coloured, elsewhere one plain line
per event; JSON on request.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sensed.events import EVENTS, escaped, remarks, sentence, traces
from sensed.journal import JournalLogger, is_journal, journal_fields

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SGR: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}
"""ECMA-48 SGR parameters by level: dim, green, yellow, red, bold red."""

_log = structlog.get_logger(__name__)


def configure_logging(level: str, log_format: str = "auto", stream: TextIO | None = None) -> None:
    """Send events of at least ``level`` to ``stream`` (standard error), or the journal behind it.

    May be called again, to change the level.
    """
    stream = stream if stream is not None else sys.stderr
    to_journal = log_format == "auto" and is_journal(stream)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            *_renderers(log_format, stream, to_journal=to_journal),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_journal_factory(stream)
        if to_journal
        else structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging()


def _renderers(log_format: str, stream: TextIO, *, to_journal: bool) -> list[Processor]:
    if to_journal:
        return [journal_fields]
    if log_format == "json":
        return [structlog.processors.TimeStamper(fmt="iso", utc=True), _json_facts, _TO_JSON]
    if stream.isatty():
        colours = not os.environ.get("NO_COLOR")
        return [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _coloured_line if colours else _line,
        ]
    return [structlog.processors.TimeStamper(fmt="iso", utc=True), _line]


def _journal_factory(stream: TextIO) -> Any:
    logger = JournalLogger(stream)
    return lambda *_: logger


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _render(event, "{}", "{}")


def _coloured_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _render(event, f"\x1b[{_SGR[str(event['level'])]}m{{}}\x1b[0m", "\x1b[2m{}\x1b[0m")


def _render(event: EventDict, level_style: str, remark_style: str) -> str:
    name = str(event["event"])
    words = [str(event["timestamp"]), level_style.format(f"{event['level']:<7}")]
    words.append(sentence(name, event))
    if name in EVENTS and (rest := remarks(name, event)):
        words.append(remark_style.format(" ".join(rest)))
    return "\n".join([" ".join(words), *traces(event)])


def _json_facts(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    name = str(event["event"])
    message_id = {"message_id": EVENTS[name].message_id} if name in EVENTS else {}
    return {"message": sentence(name, event), **message_id, **event}


_TO_JSON: Final = structlog.processors.JSONRenderer(default=escaped)


class _StandardHandler(logging.Handler):
    """Brings what libraries say through the standard library into the same place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        _log.log(
            logging.ERROR if record.levelno >= logging.ERROR else logging.WARNING,
            "library_message",
            library=record.name,
            text=record.getMessage(),
            exc_info=record.exc_info,
        )


def _adopt_standard_logging() -> None:
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    if not any(isinstance(handler, _StandardHandler) for handler in root.handlers):
        root.addHandler(_StandardHandler())
