"""What evolve draws on a terminal, as a terminal gets it."""

from __future__ import annotations

import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from mu2net_cli.printing.text import print_line
from mu2net_cli.session import Session
from mu2net_cli.watching.progress import evolve_progress
from mu2net_core.api.context import Context
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, SAMPLED


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, written: list[str]) -> Iterator[None]:
    """Makes stderr a terminal of 80 x 24 inside the block; all lines drawn are added to ``written``."""
    ours, theirs = pty.openpty()
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with os.fdopen(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        yield
        stderr.flush()
        os.set_blocking(ours, False)
        data = b""
        with suppress(BlockingIOError):
            while chunk := os.read(ours, 65536):
                data += chunk
        monkeypatch.undo()
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())
    written.extend(line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip())


def test_a_warning_stands_above_the_table_whole_and_results_come_after_it(
    context: Context, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    written: list[str] = []
    warning = "warning: something that takes more than one line of eighty columns, as warnings do, by a few words"
    with terminal(monkeypatch, written), evolve_progress(Session(context=context), results=True) as on_event:
        on_event(BEGUN)
        on_event(SAMPLED)
        print_line(warning, err=True)
        on_event(replace(FINISHED, at_chance=True))
        assert capsys.readouterr().out == ""
    first = next(place for place, line in enumerate(written) if line.startswith("warning: something"))
    assert f"{written[first]} {written[first + 1]}" == warning
    assert any(line.startswith("warning: digits: the model is no better than") for line in written)
    assert written[-3].split() == ["task", "iter.", "gen.", "children", "best", "now"]
    assert written[-2].split() == ["digits", "1", "1/3", "0/4", "95.00%", "test", "94.31%"]
    assert capsys.readouterr().out.startswith("digits: iteration 1 finished: ")


def test_the_last_line_is_short_so_that_what_a_terminal_echoes_for_ctrl_c_fits_behind_it(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    with terminal(monkeypatch, written), evolve_progress(Session(context=context), results=False) as on_event:
        on_event(replace(BEGUN, task="a-name-that-is-so-long/that-it-fills-the-line/to-its-very-end-and-more"))
    assert len(written[-1]) < 60
