from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from mu2net_cli.printing import render, transfers
from mu2net_cli.printing.transfers import TransferMeter, transfer_progress
from mu2net_cli.session import Session
from mu2net_core.api.context import Context
from mu2net_core.repo.remotes.reports import Progress


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(megabytes: float, total: float | None = None, objects: int = 3) -> Progress:
    return Progress(
        what="digits",
        num_objects=objects,
        size_bytes=int(megabytes * 1e6),
        total_objects=None if total is None else 10,
        total_bytes=None if total is None else int(total * 1e6),
    )


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    assert meter.line(progress(1, 100)) == "digits: 3 of 10 objects, 1.00MB of 100.00MB"
    clock.now = 5
    assert meter.line(progress(11, 100)) == "digits: 3 of 10 objects, 11.00MB of 100.00MB, 2.00MB/s, about 44 s left"
    clock.now = 10
    assert meter.line(progress(100, 100)).endswith("9.90MB/s")


def test_only_the_last_seconds_count_for_the_rate() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    meter.line(progress(0, 100_000))
    for second in range(1, 40):
        clock.now = second
        line = meter.line(progress(100 + second, 100_000))
    assert "1.00MB/s, about 27 h 44 min left" in line


def test_without_a_total_there_is_no_time_left() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    meter.line(progress(1))
    clock.now = 4
    assert meter.line(progress(5)) == "digits: 3 objects, 5.00MB, 1.00MB/s"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(context=replace(Context.default(), cwd=tmp_path))


class TestInAPipe:
    def test_a_line_comes_now_and_then(self, session: Session, capsys: pytest.CaptureFixture[str]) -> None:
        clock = Clock()
        with transfer_progress(session, clock=clock) as watch:
            assert watch is not None
            for second in range(13):
                clock.now = second
                watch(progress(second, 100, objects=second))
        err = capsys.readouterr().err
        assert [line.split(" of ")[0] for line in err.splitlines()] == ["digits: 5", "digits: 10"]

    def test_nothing_with_quiet(self, session: Session) -> None:
        with transfer_progress(replace(session, quiet=True)) as watch:
            assert watch is None

    def test_what_a_remote_names_cannot_steer_the_terminal(
        self, session: Session, capsys: pytest.CaptureFixture[str]
    ) -> None:
        clock = Clock()
        with transfer_progress(session, clock=clock) as watch:
            clock.now = 9
            assert watch is not None
            watch(replace(progress(1), what="a\x1b[2J"))
        assert "\x1b" not in capsys.readouterr().err


def test_on_a_terminal_one_line_renews_itself(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = StringIO()
    monkeypatch.setattr(Session, "live", property(lambda self: True))
    monkeypatch.setattr(render, "console", lambda *_, **__: Console(file=shown, force_terminal=True))
    with transfers.transfer_progress(session) as watch:
        assert watch is not None
        watch(progress(1, 2))
    assert "digits: 3 of 10 objects, 1.00MB of 2.00MB" in shown.getvalue()
