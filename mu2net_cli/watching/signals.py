"""Signals, and the end of stdin, as a wish to end: the first one at a safe point, the second one at once."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from types import FrameType

__all__ = ["heeded", "when_stdin_ends"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heeded(first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
    """Has the first signal that asks this process to end call ``first`` inside the block, and the others ``second``.

    One that this process was started to ignore, as ``nohup`` has it, stays ignored.
    """
    wishes = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal wishes
        wishes += 1
        (first if wishes == 1 else second)()

    if current_thread() is not main_thread():
        yield
        return
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def when_stdin_ends(call: Callable[[], None]) -> None:
    """Calls ``call`` once whoever started this process is gone, or closed its end of the pipe that is stdin here.

    Nothing is read from what is no pipe: a terminal, a file, or ``/dev/null``, as batch systems have it.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        Thread(target=_wait, args=(call,), name="mu2net-stdin", daemon=True).start()


def _wait(call: Callable[[], None]) -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    call()
