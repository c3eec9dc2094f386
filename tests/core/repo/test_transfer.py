from __future__ import annotations

import json
from pathlib import Path

import pytest

from mu2net_core.errors import StorageError
from mu2net_core.repo import Remote, Repository, create_repository, load_system
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.intake import receive, receive_components
from mu2net_core.repo.exchange.transfer import send
from mu2net_core.repo.remotes.closure import Knowledge, collect
from mu2net_core.repo.remotes.remotes import RemoteRepository, connect_or_create
from mu2net_core.repo.remotes.reports import Counter
from mu2net_core.repo.remotes.tracking import Tracking
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    return create_repository(tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY)


def reach(repo: Repository, *, partial: bool = True) -> RemoteRepository:
    return RemoteRepository(Remote(name="origin", url=str(repo.path), partial=partial), LocalStore(repo.path))


def encode_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def evolved(repo: Repository) -> str:
    """Adds the task ``a`` with one model and returns its head's commit."""
    add_sample_task(repo, "a")
    return evolve_sample(repo, "a", score=0.5, trains=("embedding", "head")).commit


def test_receiving_brings_what_is_missing_once(repo: Repository, here: Repository) -> None:
    commit_id, counter = evolved(repo), Counter()
    assert receive(here, reach(repo), [("commit", commit_id)], what="a", counter=counter) == {"a"}
    assert counter.num_objects == 6  # two models, two commits, the task, a snapshot
    assert receive(here, reach(repo), [("commit", commit_id)], what="a", counter=counter) == set()
    assert counter.num_objects == 6


def test_unknown_keys_of_a_newer_version_are_kept(repo: Repository, here: Repository) -> None:
    commit_id = evolved(repo)
    newer = encode_json({**json.loads(repo.objects.read("commit", commit_id)), "mood": "good"})
    oid = repo.objects.put_bytes("commit", newer)
    receive(here, reach(repo), [("commit", oid)], what="a", counter=Counter())
    assert here.objects.read("commit", oid) == newer


def test_a_full_copy_has_the_components_before_the_commit(repo: Repository, here: Repository) -> None:
    commit_id = evolved(repo)
    for at in range(1, 9):
        here.objects.store = FaultyStore(here.store, at=at, methods=frozenset({"create"}))
        try:
            receive(here, reach(repo, partial=False), [("commit", commit_id)], what="a", counter=Counter())
        except StorageError:
            for oid in here.objects.ids("commit"):
                model_id = here.objects.commit(oid).model
                refs = here.objects.model(model_id).components if model_id else ()
                assert all(here.objects.has("component", ref.id) for ref in refs)


def test_components_that_are_here_are_not_asked_for(repo: Repository, here: Repository) -> None:
    commit_id, reached = evolved(repo), reach(repo)
    receive(here, reached, [("commit", commit_id)], what="a", counter=Counter())
    model_id = here.objects.commit(commit_id).model
    assert model_id is not None
    for _ in range(2):
        receive_components(here, reached, [model_id], what="a", counter=Counter())
    store = WrappedStore(LocalStore(repo.path))
    again = RemoteRepository(reached.remote, store)
    receive_components(here, again, [model_id], what="a", counter=Counter())
    assert store.calls.total() == 0


def test_sending_twice_changes_nothing(repo: Repository, tmp_path: Path) -> None:
    commit_id = evolved(repo)
    remote = connect_or_create(Remote(name="origin", url=str(tmp_path / "shared")), repo.config)
    closure = collect(repo.objects, [("commit", commit_id)], Knowledge(repo.objects, Tracking(url=remote.remote.url)))
    rules = load_system(repo).rules
    send(repo.objects, remote, [closure], rules, what="a", counter=Counter())
    before = list(remote.store.list(""))
    send(repo.objects, remote, [closure], rules, what="a", counter=Counter())
    assert list(remote.store.list("")) == before
    remote.refs.append("a", commit_id, after=None)
    assert remote.objects.commit(commit_id) == repo.objects.commit(commit_id)
    assert fsck_of(tmp_path / "shared") == ()


def fsck_of(folder: Path) -> tuple[object, ...]:
    from mu2net_core.repo import open_repository

    return fsck(open_repository(folder)).problems
