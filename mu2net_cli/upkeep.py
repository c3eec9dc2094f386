"""What gc, fsck and cache have in common: their progress, and how long ago something must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from mu2net_cli.options import parse_budget

if TYPE_CHECKING:
    from mu2net_cli.session import Session

__all__ = ["parse_grace", "upkeep_progress"]


def parse_grace(text: str) -> timedelta:
    """Returns an age such as ``14d``, ``12h`` or ``0``; raises InvalidInputError for what is none."""
    return timedelta() if text.strip() in {"0", "0s", "0d"} else timedelta(seconds=parse_budget(text) or 0)


@contextmanager
def upkeep_progress(session: Session) -> Iterator[Callable[[str, int], None]]:
    """Yields what is told of progress: one line on a terminal that renews itself, nothing in a pipe."""
    if not session.live:
        yield lambda _what, _done: None
        return
    from rich.live import Live
    from rich.text import Text

    from mu2net_cli.render import console

    with Live(console=console(session, stderr=True), refresh_per_second=8, transient=True) as live:
        yield lambda what, done: live.update(Text(f"{what}: {done}" if done else what))
