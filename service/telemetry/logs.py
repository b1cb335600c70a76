"""Lines of the log: text, or one JSON object a line; neither tells a secret."""

from __future__ import annotations

import logging
import re
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from pythonjsonlogger.json import JsonFormatter

# Keys, header fields that hold credentials, passwords in URLs: a traceback or a driver's message
# may repeat what it was given.
_SECRETS = (
    (re.compile(r"(handful_[0-9a-f]{16}_)[\w-]{43}"), r"\1***"),
    (
        re.compile(
            r"""(?i)\b((?:proxy-)?authorization['"]?\s*[,:=]\s*(?:b?['"])?(?:\w+ +)?)[^\s'",)]+"""
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(cookie\W{1,4})[^\r\n'\"]+"), r"\1***"),
    (re.compile(r"(\b[a-z][\w+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"), r"\1***"),
    (
        re.compile(r"(?i)\b((?:pgpassword|password|secret_access_key)\s*[=:]\s*)[^\s&,'\"]+"),
        r"\1***",
    ),
)

# Libraries that tell of each message that is broken, or of each at all: a stranger would write the
# log. Who sent it is answered; errors of MCP's SDK are defects of tools.
_OF_WHAT_IS_SENT = {
    "mcp": logging.ERROR,
    "PIL": logging.CRITICAL,
    "python_multipart": logging.CRITICAL,
}


def without_secrets(line: str) -> str:
    """The text with keys, credentials and passwords replaced by three asterisks."""
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line


class TextLines(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s: %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return without_secrets(super().format(record))


class JsonLines(JsonFormatter):
    """JSON Lines: ``timestamp`` (RFC 3339, UTC), ``level``, ``logger``, ``message``.

    ``trace_id`` and ``span_id`` where the line belongs to a trace (W3C), ``exception`` with a
    traceback where there is one, and the ``fields`` that a logger gives as ``extra``. All but ASCII
    is escaped, so that nothing which somebody has sent can look like another line.
    """

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """Fill in the object."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["timestamp"] = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = without_secrets(record.getMessage())
        span = get_current_span().get_span_context()
        if span.is_valid:
            log_data["trace_id"] = format_trace_id(span.trace_id)
            log_data["span_id"] = format_span_id(span.span_id)
        if record.exc_info or record.exc_text:
            text = record.exc_text or self.formatException(record.exc_info)
            log_data["exception"] = without_secrets(str(text))
        extra: dict[str, Any] = getattr(record, "fields", {})
        log_data.update(extra)


def configure(lines: str, level: str) -> None:
    """Set up logging for this process: everything to standard error, by one handler.

    Args:
        lines: ``text`` or ``json``.
        level: The least that is told.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if lines == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.INFO, logging.getLevelName(level.upper())))
    logging.getLogger("handful").setLevel(level.upper())
    for chatty in ("alembic", "faiss", "service.storage.failures.BoundedPool", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for library, least in _OF_WHAT_IS_SENT.items():
        logging.getLogger(library).setLevel(least)
    if lines == "json":
        logging.captureWarnings(capture=True)
        sys.excepthook = _told
        threading.excepthook = lambda told: _told(told.exc_type, told.exc_value, told.exc_traceback)


def lines_are_json() -> bool:
    """Whether this process writes JSON Lines, so that nothing else may be written between them."""
    return any(isinstance(one.formatter, JsonLines) for one in logging.getLogger().handlers)


def _told(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    """What Python would print of an error that nobody has caught."""
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("handful").critical("%s", kind.__name__, exc_info=(kind, error, traceback))
