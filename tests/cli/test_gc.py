"""gc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    lost = empty_repo / ".mu2net/objects/task/aa" / ("b" * 62 + ".json")
    lost.parent.mkdir(parents=True)
    lost.write_bytes(b"{}")
    os.utime(lost, (1, 1))
    return empty_repo


def test_it_says_what_it_would_delete_and_then_deletes(run) -> None:
    dry = run("gc")
    assert dry.out == "Would delete 1 object, 2B: 1 task\n"
    assert "mu2net gc --prune" in dry.err
    assert run("gc", "--json").json()["dry_run"] is True
    assert run("gc", "--prune", "--yes").out == "Deleted 1 object, 2B: 1 task\n"
    assert run("gc", "--dry-run").out == "Would delete 0 objects, 0B\n"


def test_a_short_grace_is_warned_of(run) -> None:
    assert "nobody pushes" in run("gc", "--prune", "--yes", "--grace", "0").err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--prune"], 2, "Deleting needs a yes"),
        (["--grace", "soon"], 2, "Not a duration: 'soon'"),
        (["--remote", "nowhere"], 3, "no remote nowhere"),
    ],
)
def test_what_is_refused(run, args, code, message) -> None:
    result = run("gc", *args)
    assert (result.code, message in result.err) == (code, True)
