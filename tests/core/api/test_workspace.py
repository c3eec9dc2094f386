from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import CorruptObjectError
from mu2net_core.repo import Repository
from mu2net_core.search import Population, SearchState
from mu2net_core.testing.building.samples import sample_component

STATE = IterationState(
    task="a/b",
    task_id="t",
    base="c",
    snapshot="s",
    iteration=1,
    seed=7,
    generations=2,
    children=3,
    search=SearchState(population=Population(task="a/b")),
    started_at="2026-01-01T00:00:00.000000+00:00",
)


def test_a_state_is_what_was_saved_last(repo: Repository) -> None:
    workspace = Workspace.of(repo, "a/b")
    assert workspace.load() is None
    workspace.save(STATE)
    assert Workspace.of(repo, "a/b").load() == STATE
    assert Workspace.of(repo, "a").load() is None


def test_a_state_that_cannot_be_read_is_told_from_none(repo: Repository) -> None:
    workspace = Workspace.of(repo, "a")
    workspace.save(STATE)
    (workspace.folder / "state.json").write_bytes(b"{")
    with pytest.raises(CorruptObjectError, match=r"Cannot read .*state\.json"):
        workspace.load()
    workspace.clear()
    assert workspace.load() is None


def test_killed_while_clearing_leaves_no_state_without_its_components(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.of(repo, "a")
    oid, _ = workspace.save_component(sample_component("head", 1))
    workspace.save(STATE)

    def killed(folder: Path, **_options: Any) -> None:
        for file in folder.rglob("*.zip"):
            file.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        workspace.clear()
    assert not workspace.objects.has("component", oid)
    assert workspace.load() is None
