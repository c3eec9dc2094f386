from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.event_log import EventLog, event_line
from mu2net_core.errors import InvalidInputError, StorageError
from mu2net_core.events import Compiled


@dataclass(frozen=True)
class Part:
    scores: tuple[float, ...]
    note: str | None = None


@dataclass(frozen=True)
class Happened:
    parts: tuple[Part, ...]
    by: dict[str, Part]
    wall_s: float


def test_any_dataclass_becomes_one_line_of_strict_json() -> None:
    event = Happened(parts=(Part((0.5, float("nan"))),), by={"µ": Part((), "a\nb")}, wall_s=float("inf"))
    line = event_line(event, "now")
    assert line.endswith("\n")
    assert line.isascii()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "event": "Happened",
        "time": "now",
        "parts": [{"scores": [0.5, None], "note": None}],
        "by": {"µ": {"scores": [], "note": "a\nb"}},
        "wall_s": None,
    }


def test_every_line_is_there_at_once_and_what_was_there_stays(context: Context, tmp_path: Path) -> None:
    told: list[object] = []
    for what in ("first", "second"):
        with EventLog(Path("events"), context) as log:
            log.before(told.append)(Compiled(what=what, wall_s=0.5))
            last = (tmp_path / "events").read_text().splitlines()[-1]
            assert json.loads(last) == {
                "event": "Compiled",
                "agent": "",
                "time": "2026-01-02T03:04:05.678901+00:00",
                "what": what,
                "wall_s": 0.5,
            }
    assert len((tmp_path / "events").read_text().splitlines()) == len(told) == 2


@pytest.mark.parametrize(
    ("path", "error"), [("-", InvalidInputError), ("no/events", StorageError), (".", StorageError)]
)
def test_where_no_event_can_be_written_that_is_said_at_once(context: Context, path: str, error) -> None:
    with pytest.raises(error):
        EventLog(Path(path), context)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_disk_that_fills_up_ends_the_file_and_not_the_work(context: Context) -> None:
    warnings: list[str] = []
    with EventLog(Path("/dev/full"), replace(context, warn=warnings.append)) as log:
        for _ in range(3):
            log(Compiled(what="it", wall_s=0.5))
    assert warnings == ["no more events are written to /dev/full: No space left on device"]
