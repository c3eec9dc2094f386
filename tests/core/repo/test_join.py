from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, InvalidInputError
from mu2net_core.objects import Agent
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.exchange.joining import ON_CONFLICT, Policy, join
from mu2net_core.repo.history.merging import contains
from mu2net_core.storage import Store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore

ME = Agent(id="me", host="here", device="none")
NOW = "2026-01-02T00:00:00.000000+00:00"


def policy(on_conflict: str) -> Policy:
    return Policy(on_conflict=on_conflict, agent=ME, now=NOW)  # type: ignore[arg-type]


def head(repo: Repository) -> HeadState:
    state = repo.refs.head("a")
    assert state is not None
    return state


@pytest.fixture
def diverged(repo: Repository, tmp_path: Path) -> tuple[Repository, str, str]:
    """Returns a repository whose head of ``a`` scores 0.5, that head, and another one from elsewhere, of score 0.9."""
    add_sample_task(repo, "a")
    other = sample_repository(tmp_path / "other")
    base = head(repo)
    for oid in (base.commit, repo.objects.commit(base.commit).task_id):
        kind = "commit" if oid == base.commit else "task"
        other.objects.put_bytes(kind, repo.objects.read(kind, oid))  # type: ignore[arg-type]
    other.refs.append("a", base.commit, after=None)
    theirs = evolve_sample(other, "a", score=0.9, seed=9)
    for kind in ("snapshot", "model", "commit"):
        for oid in other.objects.ids(kind):  # type: ignore[arg-type]
            repo.objects.put_bytes(kind, other.objects.read(kind, oid))  # type: ignore[arg-type]
    return repo, evolve_sample(repo, "a", score=0.5).commit, theirs.commit


def test_a_first_head(diverged: tuple[Repository, str, str], tmp_path: Path) -> None:
    repo, _, theirs = diverged
    assert join(repo, "a", theirs, Policy()).outcome == "merged"
    assert join(repo, "a", theirs, Policy()).outcome == "ahead"
    assert join(repo, "a", head(repo).commit, Policy()).outcome == "up-to-date"


@pytest.mark.parametrize(("on_conflict", "winner"), [("best", 0.9), ("ours", 0.5), ("theirs", 0.9)])
def test_policies(diverged: tuple[Repository, str, str], on_conflict: str, winner: float) -> None:
    repo, ours, theirs = diverged
    report = join(repo, "a", theirs, policy(on_conflict))
    joined = repo.objects.commit(head(repo).commit)
    assert (report.outcome, report.commit) == ("merged", head(repo).commit)
    assert joined.model is not None
    assert repo.objects.model(joined.model).score == winner
    assert all(contains(repo.objects, head(repo).commit, side) for side in (ours, theirs))
    assert joined.agent == (None if on_conflict == "best" else ME)


def test_fail_moves_nothing(diverged: tuple[Repository, str, str]) -> None:
    repo, ours, theirs = diverged
    with pytest.raises(ConflictError, match=f"head of a: {ours[:10]} here and {theirs[:10]} there"):
        join(repo, "a", theirs, policy("fail"))
    assert head(repo).commit == ours


def test_unknown_policy() -> None:
    with pytest.raises(InvalidInputError, match=f"one of {', '.join(ON_CONFLICT)}, got 'coin'"):
        policy("coin")


def test_a_decision_needs_who_decides() -> None:
    with pytest.raises(InvalidInputError, match="expected who decides, and when"):
        Policy(on_conflict="ours")


class Racing(WrappedStore):
    """Lets another process move the head of ``a`` just before we do, once."""

    def __init__(self, inner: Store, repo: Repository) -> None:
        super().__init__(inner)
        self._repo: Repository | None = repo

    def before(self, method: str, key: str) -> None:
        if method == "create" and key.startswith("refs/heads/") and self._repo is not None:
            repo, self._repo = self._repo, None
            evolve_sample(repo, "a", score=0.7, seed=77)


def test_follows_a_head_that_another_process_moves_meanwhile(diverged: tuple[Repository, str, str]) -> None:
    repo, _, theirs = diverged
    rival = type(repo)(repo.path, repo.config)
    repo.refs.store = Racing(repo.store, rival)
    join(repo, "a", theirs, Policy())
    joined = repo.objects.commit(head(repo).commit)
    assert joined.model is not None
    assert repo.objects.model(joined.model).score == 0.9
    assert len(repo.refs.log("a")) == 4  # added, ours, the rival's, the merge of all three
    assert contains(repo.objects, head(repo).commit, repo.refs.log("a")[2].commit)
