from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.repo import HeadState, Remote
from mu2net_core.repo.remotes.tracking import Tracking, forget_tracking, read_tracking, write_tracking

ORIGIN = Remote(name="origin", url="/srv/shared")
STATE = HeadState(task="mnist/odd", number=3, entry_hash="a" * 64, commit="b" * 64)
KNOWN = Tracking(url="/srv/shared").with_heads([STATE]).with_tag("v1", "c" * 64).with_root("tiny", "d" * 64)


def test_reads_what_was_written(tmp_path: Path) -> None:
    write_tracking(tmp_path, "origin", KNOWN)
    assert read_tracking(tmp_path, ORIGIN) == KNOWN
    assert KNOWN.heads == {"mnist/odd": STATE}


def test_knows_nothing_of_a_remote_never_met(tmp_path: Path) -> None:
    assert read_tracking(tmp_path, ORIGIN) == Tracking(url="/srv/shared")


def test_a_remote_that_moved_is_another_one(tmp_path: Path) -> None:
    write_tracking(tmp_path, "origin", KNOWN)
    assert read_tracking(tmp_path, Remote(name="origin", url="/elsewhere")) == Tracking(url="/elsewhere")


@pytest.mark.parametrize("damage", [b"", b"{", b'{"url":"/srv/shared","heads":[]}', b"\xff\xfe"])
def test_a_damaged_note_is_no_note(tmp_path: Path, damage: bytes) -> None:
    write_tracking(tmp_path, "origin", KNOWN)
    next((tmp_path / "remotes").iterdir()).write_bytes(damage)
    assert read_tracking(tmp_path, ORIGIN) == Tracking(url="/srv/shared")


def test_forgetting(tmp_path: Path) -> None:
    write_tracking(tmp_path, "origin", KNOWN)
    forget_tracking(tmp_path, "origin")
    forget_tracking(tmp_path, "origin")
    assert read_tracking(tmp_path, ORIGIN).heads == {}


def test_names_with_slashes_do_not_collide(tmp_path: Path) -> None:
    team = Remote(name="origin/team", url="/srv/team")
    write_tracking(tmp_path, "origin", KNOWN)
    write_tracking(tmp_path, "origin/team", Tracking(url="/srv/team"))
    assert read_tracking(tmp_path, ORIGIN) == KNOWN
    assert read_tracking(tmp_path, team) == Tracking(url="/srv/team")
