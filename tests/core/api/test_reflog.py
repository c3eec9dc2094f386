"""Where heads stood, also where what they stood at is gone."""

from __future__ import annotations

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.reflog import reflog
from mu2net_core.api.tasks.reset import reset
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import encode, object_key
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_tombstone


def test_every_move_is_there_newest_first(repo: Repository, context: Context) -> None:
    states = [add_sample_task(repo, "a"), evolve_sample(repo, "a", score=0.5)]
    rm_task(repo, context, "a")
    reset(repo, context, "a", "@{1}")
    entries = reflog(repo, "a")
    assert [entry.revision for entry in entries] == ["a@{0}", "a@{1}", "a@{2}", "a@{3}"]
    assert [entry.number for entry in entries] == [4, 3, 2, 1]
    assert [entry.event for entry in entries] == ["reset", "remove", "iteration", "add"]
    assert [entry.commit for entry in entries[2:]] == [states[1].commit, states[0].commit]
    assert entries[0].finished_at == "2026-01-02T03:04:05.678901+00:00"
    assert entries[0].agent.host == "test-host"
    assert entries[1].message == "remove task a"


def test_without_a_task_all_heads_are_listed(repo: Repository) -> None:
    for name in ("b", "a"):
        add_sample_task(repo, name)
        evolve_sample(repo, name, score=0.5)
    assert [entry.revision for entry in reflog(repo)] == ["a@{0}", "a@{1}", "b@{0}", "b@{1}"]


def test_what_was_purged_is_told_from_what_is_missing(repo: Repository, context: Context) -> None:
    first, second = add_sample_task(repo, "a"), evolve_sample(repo, "a", score=0.5)
    evolve_sample(repo, "a", score=0.6)
    for state in (first, second):
        repo.store.delete(object_key("commit", state.commit))
    repo = type(repo)(repo.path, repo.config)  # nothing remembered
    assert [entry.state for entry in reflog(repo, "a")] == ["kept", "missing", "missing"]
    stone = sample_tombstone("a", 1)
    repo.store.create("refs/purged/a/00000001", encode(stone))
    entries = reflog(repo, "a")
    assert [entry.state for entry in entries] == ["kept", "missing", "purged"]
    assert (entries[2].commit, entries[2].message, entries[2].event) == (first.commit, None, None)


def test_an_unknown_task(repo: Repository) -> None:
    add_sample_task(repo, "cats")
    with pytest.raises(NotFoundError, match="no task 'cat'"):
        reflog(repo, "cat")
