"""Since when somebody's lease is silent, by the clock of whoever looks.

Clocks of two machines are never compared. Who looks notes when he first saw the newest file of a lease, on a clock that
only goes forward; after ``ttl_s`` on that clock without a newer file, he takes the holder for gone. The notes are kept
in a file, so that all processes of a working copy go on where the others were, one that looks once and ends included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from mu2net_core.errors import Mu2netError
from mu2net_core.objects import file_name
from mu2net_core.storage import read_if_there, replace_file

__all__ = ["Observer"]

Sight = tuple[int, int, float]
"""Number of the head's entry, number of the lease's newest file, and when that was first seen."""


@dataclass(slots=True, kw_only=True)
class Observer:
    """Remembers by task which file of a lease was the newest when it was last looked at, and since when.

    Attributes:
        file: keeps the notes; None keeps them in this process.
        clock: seconds since this machine was started, the same for all its processes; later notes were made before
            that, and count for nothing.
    """

    file: Path | None = None
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, Sight] = field(default_factory=dict)

    def age_s(self, task: str, number: int, k: int) -> float:
        """Returns how long ago a file was first seen as the newest of the lease on a task; 0 if that is now."""
        now, noted, name = self.clock(), self._noted(), file_name(task)  # which does not tell the task
        sights = [seen[name] for seen in (self._seen, noted) if name in seen]
        earlier = [at for *file, at in sights if file == [number, k] and at <= now]
        if earlier:
            return now - min(earlier)
        self._seen[name] = (number, k, now)
        self._keep({**noted, name: self._seen[name]})
        return 0.0

    def _noted(self) -> dict[str, Sight]:
        try:
            data = None if self.file is None else read_if_there(self.file)
            return {} if data is None else msgspec.json.decode(data, type=dict[str, Sight])
        except (Mu2netError, msgspec.MsgspecError):
            return {}

    def _keep(self, seen: dict[str, Sight]) -> None:
        """Writes the notes; two that write at once lose a note, and look a little longer for that."""
        if self.file is not None:
            with suppress(Mu2netError):  # who may only read here remembers it himself
                replace_file(self.file, msgspec.json.encode(seen))
