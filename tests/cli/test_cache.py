"""cache info and cache prune."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


def test_what_is_cached_is_told_and_pruned(run) -> None:
    assert run("cache", "info").rows()[0] == ["cached", "0 components, 0B"]
    run("remote", "add", "origin", "../shared")
    assert run("push").code == 0
    before = run("cache", "info", "--json").json()
    assert before["num_cached"] > 0
    assert run("cache", "prune", "--max-size", "0", "--dry-run").out.startswith("Would delete ")
    assert run("cache", "prune", "--max-size", "0", "--json").json()["num_pruned"] == before["num_cached"]
    assert run("fsck").code == 0


def test_a_size_is_needed(run) -> None:
    assert run("cache", "prune").code == 2
    refused = run("cache", "prune", "--max-size", "some")
    assert (refused.code, "Not a size: 'some'" in refused.err) == (2, True)
