"""What somebody put into a remote, and its owner took out again: it stays away, and work goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import ConflictError
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.remotes.reports import Exchange
from mu2net_core.repo.remotes.tracking import read_purged
from mu2net_core.testing.attacks.forging import Forger
from mu2net_core.testing.building.samples import evolve_sample
from mu2net_core.testing.worlds.sharing import add_tasks, commit_of, outcomes, working_copy
from mu2net_core.testing.worlds.signers import told


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, later: Context) -> Repository:
    """Returns a working copy that shares the task digits."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits")
    push(repo, later)
    return repo


@pytest.fixture
def evil(ann: Repository, origin: Remote) -> Forger:
    return Forger.into(origin)


def stones(there: Forger) -> list[str]:
    return list(there.store.list("refs/purged"))


def clean_up(there: Forger) -> None:
    for key in stones(there):
        there.store.delete(key)


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_a_tombstone_whose_purge_never_moved_a_head_is_not_put_back(
    ann: Repository, later: Context, evil: Forger
) -> None:
    evil.stone("digits", [("commit", commit_of(ann, "digits"))])
    assert outcomes(pull(ann, later)) == {"digits": "skipped"}
    clean_up(evil)
    assert told(lambda: pull(ann, later)) == ""
    newest = evolve_sample(ann, "digits", score=0.6, seed=2).commit
    done = push(ann, later)
    assert outcomes(done) == {"digits": "updated"}
    assert done.restored == ()
    assert evil.head("digits").commit == newest
    assert stones(evil) == []


def test_whoever_pushes_first_does_not_put_it_back_either(ann: Repository, later: Context, evil: Forger) -> None:
    evil.stone("digits", [("commit", commit_of(ann, "digits"))])
    pull(ann, later)
    clean_up(evil)
    evolve_sample(ann, "digits", score=0.6, seed=2)
    assert outcomes(push(ann, later)) == {"digits": "updated"}
    assert stones(evil) == []


def test_a_tombstone_of_a_purge_that_moved_a_head_is_put_back(ann: Repository, later: Context, evil: Forger) -> None:
    evil.whole_purge("digits")
    pull(ann, later)
    clean_up(evil)
    assert "a tombstone of digits" in told(lambda: pull(ann, later))
    assert push(ann, later).restored == ("a tombstone of digits",)
    assert len(stones(evil)) == 1


@pytest.mark.parametrize("verb", [pull, push])
def test_no_more_tombstones_are_kept_in_mind_than_are_read(
    ann: Repository,
    later: Context,
    origin: Remote,
    evil: Forger,
    monkeypatch: pytest.MonkeyPatch,
    verb: Callable[[Repository, Context], Exchange],
) -> None:
    monkeypatch.setattr("mu2net_core.repo.core.refs.MOST_STONES", 3)
    monkeypatch.setattr("mu2net_core.repo.exchange.purges_seen.MOST_STONES", 3)
    evil.whole_purge("digits")
    for number in range(5):
        told(lambda: pull(ann, later))
        clean_up(evil)
        evil.stone("digits", [("commit", f"{number:064x}")])
    told(lambda: verb(ann, later))
    assert len(read_purged(ann.state, origin)) == 3
    assert len(stones(evil)) <= 3
    push(ann, later)
    assert len(stones(evil)) == 3
    assert outcomes(pull(ann, later)) == {"digits": "skipped"}


@pytest.mark.parametrize("verb", [pull, push])
def test_whoever_cloned_while_the_settings_lied_is_told_once_they_are_right(
    ann: Repository, later: Context, origin: Remote, verb: Callable[[Repository, Context], object]
) -> None:
    settings = Path(origin.url) / "config.toml"
    right = settings.read_text()
    settings.write_text(right.replace(ann.identity, "b" * 32))
    new = open_repository(clone(origin.url, "new", later).path)
    settings.write_text(right)
    with pytest.raises(ConflictError, match="is another repository"):
        verb(new, later)
