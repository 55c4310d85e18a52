"""`AppLog`: what an application prints, logs and fails with, on its way to the host's log."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from .output import Output
from .records import MARK, MOST, Record, record_of, shortened
from .tracebacks import app_traceback

__all__ = ["AppLog"]


class AppLog:
    """The output of an instance.

    current: returns the number of the current request.
    to_host: takes the number of a request, the name of a stream ("stdout", "stderr", "error") and a
        text. Of errors, a text that begins with a mark is a record; only this class writes there,
        so nothing that an app prints is taken for one.
    stdout, stderr: replace those of `sys`.
    """

    def __init__(
        self, current: Callable[[], int], to_host: Callable[[int, str, str], None]
    ) -> None:
        self._current = current
        self._to_host = to_host
        # Where the output goes during a build, in which there is no host.
        self._build: TextIO | None = None
        self.open_out: list[int] = []
        self.open_err: list[int] = []
        self.stdout = Output(current, self._writer("stdout"), self.open_out)
        self.stderr = Output(current, self._writer("stderr"), self.open_err)

    def install(self) -> None:
        """Replace the streams of `sys`, and the ends of `logging` and `warnings`.

        Call it before the app is imported: a handler that the app configures keeps its stream.
        """
        self._build = sys.stderr
        sys.stdout, sys.stderr = self.stdout, self.stderr
        sys.unraisablehook = self._unraisable
        # What no handler takes. A logger's own level decides, and by default that of the root.
        logging.lastResort = _Last(self)
        _replace_stream_handler(self)
        warnings.showwarning = self._warning

    def begin_service(self) -> None:
        """From now on there is a host."""
        self._build = None

    @property
    def is_build(self) -> bool:
        """Whether there is no host yet."""
        return self._build is not None

    def warn(self, text: str) -> None:
        """Log a warning of the SDK."""
        self.send(Record("warn", "bolt", text, {}))

    def complain(self, text: str) -> None:
        """Log an error that no response reports."""
        text = shortened(text, MOST)
        # Not a record, whatever the app has in its message.
        self._write(self._current(), "error", f" {text}" if text.startswith(MARK) else text)

    def send(self, record: Record) -> None:
        """Log a record."""
        if self._build is not None:
            self._write(0, "error", record.for_people())
        else:
            self._write(self._current(), "error", record.for_host())

    def _writer(self, stream: str) -> Callable[[int, str], None]:
        return lambda request, text: self._write(request, stream, text)

    def _write(self, request: int, stream: str, text: str) -> None:
        if self._build is not None:
            self._build.write(text + "\n")
            self._build.flush()
            return
        # The boundary rejects lone surrogates.
        self._to_host(request, stream, text.encode("utf-8", "backslashreplace").decode("utf-8"))

    def _warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        if file is not None:
            file.write(text)
        else:
            self.send(Record("warn", "py.warnings", text.rstrip(), {}))

    def _unraisable(self, failed: Any) -> None:
        """An exception that cannot be raised, as in a finalizer."""
        text = failed.err_msg or "Exception ignored in"
        if failed.object is not None:
            text += f": {failed.object!r}"
        if failed.exc_value is not None:
            text += f"\n{app_traceback(failed.exc_value).rstrip()}"
        self.complain(text)


class _Last(logging.Handler):
    """Takes the records for which the app has no handler."""

    def __init__(self, log: AppLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        _emit(self._log, self, record)


def _emit(log: AppLog, handler: logging.Handler, record: logging.LogRecord) -> None:
    try:
        log.send(record_of(record, handler))
    except RecursionError:
        raise
    except Exception:
        handler.handleError(record)


def _replace_stream_handler(log: AppLog) -> None:
    """Make handlers that write to the app's output pass their records with level and fields.

    So they keep them also after `logging.basicConfig` and `logging.config.dictConfig`.
    """
    to_stream = logging.StreamHandler.emit

    def emit(self: logging.StreamHandler[Any], record: logging.LogRecord) -> None:
        if isinstance(self.stream, Output):
            _emit(log, self, record)
        else:
            to_stream(self, record)

    logging.StreamHandler.emit = emit  # type: ignore[method-assign, assignment]
