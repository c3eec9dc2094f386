"""How far a transfer is: one line that renews itself on a terminal, a line now and then in a pipe; always on stderr."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from mu2net_cli.printing.render import counted, quantity
from mu2net_cli.printing.text import print_line, visible

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.repo.remotes import Progress

__all__ = ["TransferMeter", "renewed_line", "transfer_progress"]

_WINDOW_S = 10.0
_EVERY_S = 5.0
_SURE_AFTER_S = 2.0


@dataclass(slots=True)
class TransferMeter:
    """Turns progress into a line of text, with the rate of the last seconds and how long the rest takes at it.

    Attributes:
        clock: returns seconds.
    """

    clock: Callable[[], float] = monotonic
    _seen: deque[tuple[float, Progress]] = field(default_factory=deque)

    def line(self, progress: Progress) -> str:
        """Returns how far the transfer is."""
        now = self.clock()
        self._seen.append((now, progress))
        while now - self._seen[0][0] > _WINDOW_S and len(self._seen) > 2:
            self._seen.popleft()
        objects = counted(progress.num_objects, "object")
        if progress.total_objects is not None:
            objects = f"{progress.num_objects} of {counted(progress.total_objects, 'object')}"
        size = f"{quantity(progress.size_bytes)}B"
        if progress.total_bytes:
            size = f"{quantity(progress.size_bytes)}B of {quantity(progress.total_bytes)}B"
        return ", ".join([f"{progress.what}: {objects}", size, *self._speed(now, progress)])

    def _speed(self, now: float, progress: Progress) -> list[str]:
        then, before = self._seen[0]
        if now - then < _SURE_AFTER_S or progress.size_bytes <= before.size_bytes:
            return []
        rate = (progress.size_bytes - before.size_bytes) / (now - then)
        left = (progress.total_bytes or 0) - progress.size_bytes
        return [f"{quantity(rate)}B/s", *([f"about {_duration(left / rate)} left"] if left > 0 else [])]


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )


@contextmanager
def transfer_progress(
    session: Session, *, clock: Callable[[], float] = monotonic
) -> Iterator[Callable[[Progress], None] | None]:
    """Yields what a transfer tells its progress; None where nobody wants to know.

    Args:
        session: says whether there is a terminal, and whether to be quiet.
        clock: returns seconds.
    """
    if session.quiet or not session.progress:
        yield None
    elif session.live:
        meter = TransferMeter(clock)
        with renewed_line(session) as show:
            yield lambda progress: show(meter.line(progress))
    else:
        yield _plain(TransferMeter(clock), clock)


@contextmanager
def renewed_line(session: Session) -> Iterator[Callable[[str], None]]:
    """Yields what shows a text in place of the one before, in a line at the end of a terminal."""
    from rich.live import Live
    from rich.text import Text

    from mu2net_cli.printing.render import console

    with Live(console=console(session, stderr=True), refresh_per_second=8, transient=True) as live:
        yield lambda text: live.update(Text(visible(text)))


def _plain(meter: TransferMeter, clock: Callable[[], float]) -> Callable[[Progress], None]:
    """Returns what prints a line every few seconds: nothing of a short transfer."""
    printed = clock()

    def watch(progress: Progress) -> None:
        nonlocal printed
        line = meter.line(progress)
        if clock() - printed >= _EVERY_S:
            printed = clock()
            print_line(line, err=True)

    return watch
