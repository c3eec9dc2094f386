"""Cores of a machine shared among processes that know nothing of each other, as a cluster starts them there."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

__all__ = ["own_cores"]


@contextmanager
def own_cores(number: float, cores: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yields so many of ``cores``, at least one, that no other process has inside a block like this.

    If there are not enough, some are shared. A core is taken by a socket's name, which lies in no folder and which the
    operating system frees when the process dies; where there are no such names, none are set aside.

    Args:
        number: how many; of 0 none are set aside.
        cores: that this process may use.
    """
    wanted = min(max(int(number), 1), len(cores)) if number > 0 and sys.platform == "linux" else 0
    with ExitStack() as stack:
        own: list[int] = []
        for core in cores if wanted else ():
            if len(own) < wanted and _take(stack, core):
                own.append(core)
        others = [core for core in cores if core not in own]
        yield (*own, *others[: wanted - len(own)])


def _take(stack: ExitStack, core: int) -> bool:
    name = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    try:
        name.bind(f"\0mu2net-core-{core}")
    except OSError:
        return False
    return True
