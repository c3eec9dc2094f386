"""What gc, fsck and cache have in common: their progress, and how long ago something must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from mu2net_cli.parsing.options import parse_budget
from mu2net_cli.printing.transfers import renewed_line

if TYPE_CHECKING:
    from mu2net_cli.session import Session

__all__ = ["parse_grace", "upkeep_progress"]

Watch = Callable[..., None]
"""Told what is being done, how much of it is done, and how much it is, where that is known."""


def parse_grace(text: str) -> timedelta:
    """Returns an age such as ``14d``, ``12h`` or ``0``; raises InvalidInputError for what is none."""
    return timedelta() if text.strip() in {"0", "0s", "0d"} else timedelta(seconds=parse_budget(text) or 0)


@contextmanager
def upkeep_progress(session: Session) -> Iterator[Watch]:
    """Yields what is told of progress: one line on a terminal that renews itself, nothing in a pipe."""
    if not session.live:
        yield lambda *_: None
        return
    with renewed_line(session) as show:

        def watch(what: str, done: int, total: int = 0) -> None:
            amount = f": {done}/{total}" if total else f": {done}" if done else ""
            show(what + amount)

        yield watch
