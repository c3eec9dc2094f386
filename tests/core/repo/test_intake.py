from __future__ import annotations

import re
import threading
from collections import Counter as Tally
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import StorageError
from mu2net_core.objects import Limits, object_key
from mu2net_core.repo import Remote, Repository, create_repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.remotes.remotes import RemoteRepository
from mu2net_core.repo.remotes.reports import Counter, Progress
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import FaultyStore, LatencyStore, WrappedStore
from mu2net_core.testing.worlds.sharing import broken

READS = frozenset({"read"})


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a bare repository with long histories."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        for number in range(5):
            evolve_sample(repo, task, score=0.1 + number / 10, seed=100 * ord(task) + number)
    return repo


def origin(shared: Repository, *, partial: bool = True) -> Remote:
    return Remote(name="origin", url=str(shared.path), partial=partial)


def copy(folder: Path, shared: Repository, *, partial: bool = True) -> Repository:
    repo = create_repository(folder, preset="vit-ti0", identity=SAMPLE_IDENTITY)
    repo.update_config(lambda config: config.with_remote(origin(shared, partial=partial)))
    return repo


def objects_read(*stores: WrappedStore) -> Tally[str]:
    return Tally(key for store in stores for method, key in store.log if method == "read" and key.startswith("objects"))


@pytest.mark.parametrize("partial", [True, False])
def test_what_came_before_an_interruption_does_not_come_again(
    shared: Repository, tmp_path: Path, partial: bool
) -> None:
    total = sum(1 for key in shared.store.list("objects") if not partial or "/component/" not in key)
    for at in range(5, 80, 15):
        here = copy(tmp_path / f"here{at}", shared, partial=partial)
        stores = [FaultyStore(LocalStore(shared.path), at=at, methods=READS), WrappedStore(LocalStore(shared.path))]
        remotes = [RemoteRepository(origin(shared, partial=partial), store) for store in stores]
        try:
            fetch(here, remotes[0])
            assert at > objects_read(stores[0]).total()
            continue
        except StorageError:
            assert fsck(here).problems == ()
        fetch(here, remotes[1])
        read = objects_read(*stores)
        failed = {key for key, times in read.items() if times > 1}
        assert len(failed) <= 1  # the one whose reading failed
        assert len(read) == total
        assert not (here.state / "incoming").exists()
        assert fsck(here).problems == ()


def test_one_request_at_a_time_is_not_waited_for(shared: Repository, tmp_path: Path) -> None:
    waits: list[float] = []
    store = LatencyStore(LocalStore(shared.path), 0.03, sleep=waits.append)
    active = most = 0

    meeting = threading.Condition()

    class Busy(WrappedStore):
        def before(self, method: str, key: str) -> None:
            nonlocal active, most
            with meeting:
                active += 1
                most = max(most, active)
                meeting.notify_all()
                meeting.wait_for(lambda: most > 1, timeout=0.2)  # for company, which comes at once if it ever does

        def after(self, method: str, key: str) -> None:
            nonlocal active
            with meeting:
                active -= 1

    fetch(
        create_repository(tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY),
        RemoteRepository(origin(shared), Busy(store)),
    )
    assert most > 1
    assert len(waits) < 80


def test_a_damaged_reply_is_read_once_more(shared: Repository, tmp_path: Path) -> None:
    class OnceBad(WrappedStore):
        def read(self, key: str, *, limit: int | None = None) -> bytes:
            data = super().read(key, limit=limit)
            is_first = key.startswith("objects/") and self.log.count(("read", key)) == 1
            return data[:-1] + b"?" if is_first else data

    here = copy(tmp_path / "here", shared)
    fetch(here, RemoteRepository(origin(shared, partial=False), OnceBad(LocalStore(shared.path))))
    assert fsck(here).problems == ()


def test_what_stays_damaged_is_named_and_nothing_needs_it(shared: Repository, tmp_path: Path) -> None:
    state = shared.refs.head("b")
    assert state is not None
    model_id = shared.objects.commit(state.commit).model
    assert model_id is not None
    (shared.path / object_key("model", model_id)).write_bytes(b"{}")
    here = copy(tmp_path / "here", shared)
    found = broken(fetch(here, RemoteRepository(origin(shared), LocalStore(shared.path))))
    assert re.search(f"model {model_id} on the remote origin .*damaged", found["task b"])
    assert fsck(here).problems == ()


def test_all_that_retain_a_model_stay_out_if_one_of_its_components_is_known_to_be_damaged(
    shared: Repository, tmp_path: Path
) -> None:
    before = shared.refs.log("a")[2].commit
    model_id = shared.objects.commit(before).model or ""
    ref = shared.objects.model(model_id).component("head")
    go_on(shared, "a", model_id)
    other = shared.objects.model(shared.objects.commit(shared.refs.log("b")[-1].commit).model or "")
    parts = tuple(ref if one.name == "head" else one for one in other.components)
    go_on(shared, "b", shared.objects.put(replace(other, components=parts)))
    part, is_known = object_key("component", ref.id), threading.Event()
    (shared.path / part).write_bytes(b"{}")

    class Late(WrappedStore):
        """Sends the model once its component was asked for by another one, and came damaged."""

        def before(self, method: str, key: str) -> None:
            if key == object_key("model", model_id):
                is_known.wait(timeout=5)

        def after(self, method: str, key: str) -> None:
            if self.log.count(("read", part)) > 1:
                is_known.set()

    here = copy(tmp_path / "here", shared, partial=False)
    found = broken(fetch(here, RemoteRepository(origin(shared, partial=False), Late(LocalStore(shared.path)))))
    assert found.keys() == {"task a", "task b"}
    assert fsck(here).problems == ()


def go_on(repo: Repository, task: str, model_id: str) -> None:
    """Lets a task retain a model that is there."""
    head = repo.refs.log(task)[-1]
    commit = replace(repo.objects.commit(head.commit), model=model_id, parents=(head.commit,))
    repo.refs.append(task, repo.objects.put(commit), after=head)


def test_what_is_larger_than_it_says_is_refused(shared: Repository, tmp_path: Path) -> None:
    oid = next(iter(shared.objects.ids("component")))
    with (shared.path / object_key("component", oid)).open("ab") as file:
        file.write(b"\0" * 1000)
    here = copy(tmp_path / "here", shared)
    found = broken(fetch(here, RemoteRepository(origin(shared, partial=False), LocalStore(shared.path))))
    assert found
    assert all("larger than the size limit" in reason for reason in found.values())


def test_manifests_have_a_limit(shared: Repository, tmp_path: Path) -> None:
    here = create_repository(
        tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY, limits=Limits(manifest_bytes=500)
    )
    found = broken(fetch(here, RemoteRepository(origin(shared), LocalStore(shared.path))))
    assert "task b" in found
    assert all("larger than the size limit of 500 bytes" in reason for reason in found.values())


def test_what_was_kept_aside_is_checked_before_it_is_used(shared: Repository, tmp_path: Path) -> None:
    here = copy(tmp_path / "here", shared)
    with pytest.raises(StorageError):
        fetch(here, RemoteRepository(origin(shared), FaultyStore(LocalStore(shared.path), at=30, methods=READS)))
    kept = list((here.state / "incoming").iterdir())
    assert kept
    for file in kept:
        file.write_bytes(file.read_bytes()[:-3])
    fetch(here, RemoteRepository(origin(shared), LocalStore(shared.path)))
    assert fsck(open_repository(here.worktree)).problems == ()


def test_a_full_copy_tells_how_much_there_is_to_come(shared: Repository, tmp_path: Path) -> None:
    here, seen = create_repository(tmp_path / "here", preset="vit-ti0", identity=SAMPLE_IDENTITY), list[Progress]()
    remote = RemoteRepository(origin(shared, partial=False), LocalStore(shared.path))
    fetch(here, remote, counter=Counter(seen.append))
    assert seen[-1].num_objects == seen[-1].total_objects
    assert all(progress.num_objects <= (progress.total_objects or 0) for progress in seen)
