"""Looking again and again, until somebody has seen enough."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from mu2net_cli.printing.text import print_line

__all__ = ["again"]

_CLEAR = "\x1b[2J\x1b[H"


def again(look: Callable[[], None], period_s: float, *, clears: bool) -> None:
    """Calls ``look``, which prints, every ``period_s`` seconds until Ctrl-C; on a terminal in place of the last time.

    Args:
        look: looks and prints.
        period_s: between two looks.
        clears: whether what was printed before goes from a terminal; elsewhere an empty line is between two looks.
    """
    is_first = True
    while True:
        if clears and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        elif clears and not is_first:
            print_line("")
        is_first = False
        look()
        sys.stdout.flush()
        time.sleep(period_s)
