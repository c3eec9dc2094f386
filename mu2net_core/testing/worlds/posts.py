"""Processes of the command line that are to run on whatever is done to them: agents of one working copy each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Post", "mu2net"]

_AGAIN_S = 2.0


def mu2net(copy: Path, *words: str) -> list[str]:
    """Returns a command line of ours in a working copy."""
    return [sys.executable, "-P", "-m", "mu2net_cli.main", "--debug", "-C", str(copy), *words]


@dataclass(slots=True, kw_only=True)
class Post:
    """A command that is started again whenever it ended, as a service manager does.

    Attributes:
        name: of it, and of its files.
        copy: its working copy.
        words: of its command line, in which ``EVENTS`` is the file for events.
        folder: gets what it says.
        environ: of its processes.
        size: how many agents it is: of several it is the pool.
        prints: whether events are what it prints.
        ends: how its processes ended, by exit code.
        started: how many there were.
    """

    name: str
    copy: Path
    words: Sequence[str]
    folder: Path
    environ: Mapping[str, str]
    size: int = 1
    prints: bool = True
    ends: Counter[int] = field(default_factory=Counter)
    started: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _due: float = 0.0

    @property
    def clock(self) -> Path:
        """The file that says how wrong the clock of its processes is."""
        return self.folder / f"{self.name}.clock"

    @property
    def log(self) -> Path:
        """What it, and its libraries, wrote to stderr."""
        return self.folder / f"{self.name}.log"

    def look(self, now: float) -> None:
        """Starts it, if it does not run and it is time."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self.ends[code] += 1
            self._process, self._due = None, now + _AGAIN_S
        if self._process is None and now >= self._due:
            self._start()

    def pids(self) -> list[int]:
        """Returns the processes of its agents; of a pool its own is the last."""
        if self._process is None or self._process.poll() is not None:
            return []
        own = self._process.pid
        return [own] if self.size == 1 else [*_children(own), own]

    def signal(self, number: int) -> None:
        """Sends a signal to its process."""
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, timeout_s: float) -> int:
        """Returns the exit code of its process, once that has come to its end; one that takes too long is killed."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return self._process.wait()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yields what its agents told; a line that a process died in is none."""
        file = self.folder / f"{self.name}.jsonl"
        for line in file.read_text(errors="replace").splitlines() if file.exists() else ():
            with suppress(ValueError):
                yield json.loads(line)

    def _start(self) -> None:
        self.started += 1
        events = self.folder / f"{self.name}.jsonl"
        words = [str(events) if word == "EVENTS" else word for word in self.words]
        with events.open("ab") if self.prints else open(os.devnull, "ab") as out, self.log.open("ab") as err:  # noqa: PTH123
            self._process = subprocess.Popen(
                mu2net(self.copy, *words), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=dict(self.environ)
            )


def _children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
