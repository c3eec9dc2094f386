"""What happens during an evolution as lines of JSON in a file, for programs that watch or plot it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, get_args

from mu2net_core.api.context import Context
from mu2net_core.errors import CorruptObjectError, InvalidInputError, StorageError
from mu2net_core.events import Event
from mu2net_core.objects import decode, to_document

__all__ = ["EventLog", "event_line", "event_of"]

_EVENTS = {event.__name__: event for event in get_args(Event)}


def event_line(event: object, time: str) -> str:
    """Returns an event (any dataclass) as one line: ``event``, its name; ``time``, as given; and all its fields.

    Numbers that are not finite become ``null``, which is all that JSON has for them.
    """
    document = {"event": type(event).__name__, "time": time, **to_document(event)}
    return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n"


def event_of(line: str) -> Event | None:
    """Returns the event that a line tells of; None for any other line."""
    try:
        name = json.loads(line)["event"]
        return decode(line.encode(), _EVENTS[name], what="an event") if name in _EVENTS else None
    except (CorruptObjectError, KeyError, TypeError, ValueError):
        return None


class EventLog(AbstractContextManager["EventLog"]):
    """A listener for ``evolve`` that appends each event to a file at once, so that whoever follows it sees it."""

    def __init__(self, path: Path, context: Context) -> None:
        """Opens the file, which need not exist.

        Raises:
            InvalidInputError: ``path`` is ``-``.
            StorageError: it cannot be written.
        """
        if str(path) == "-":
            raise InvalidInputError(
                "Events go to a file, not to '-'.", hint="On Linux, stdout is the file /dev/stdout."
            )
        self._context, self._path = context, context.cwd / path.expanduser()
        try:
            self._file = self._path.open("a", encoding="ascii")
        except OSError as exc:
            raise StorageError(
                f"Cannot write events to {self._path}: {exc.strerror}.", hint="Name a file in a folder that exists."
            ) from exc
        self._is_good = True

    def __call__(self, event: object) -> None:
        """Appends an event; if that fails, the context is told so once, and the evolution goes on."""
        if not self._is_good:
            return
        try:
            self._file.write(event_line(event, self._context.timestamp()))
            self._file.flush()
        except OSError as exc:
            self._is_good = False
            self._context.warn(f"no more events are written to {self._path}: {exc.strerror}")

    def before(self, listen: Callable[[Any], None]) -> Callable[[Any], None]:
        """Returns a listener that appends an event and then tells ``listen``."""

        def listen_too(event: object) -> None:
            self(event)
            listen(event)

        return listen_too

    def __exit__(self, *_exc: object) -> None:
        """Closes the file."""
        try:
            self._file.close()
        except OSError as exc:  # what was left of a line that could not be written
            if self._is_good:
                self._context.warn(f"the last events were not written to {self._path}: {exc.strerror}")
