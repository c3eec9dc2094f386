from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, NotFoundError, StorageError
from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import ObjectDatabase, Remote, Repository, create_repository, load_system, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.remotes.remotes import RemoteRepository, attach, connect
from mu2net_core.repo.remotes.tracking import forget_tracking, read_tracking
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore
from mu2net_core.testing.worlds.sharing import broken, commit_of, model_of, outcomes


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    """Returns a bare repository with three tasks, two of which learned from each other."""
    repo = sample_repository(tmp_path / "shared", bare=True)
    for task in ("a", "b", "c"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5)
    evolve_sample(repo, "b", score=0.6, parent=model_of(repo, "a"), trains=("embedding",))
    evolve_sample(repo, "a", score=0.7, parent=model_of(repo, "b"), trains=("encoderblock_0",))
    return repo


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """Returns an empty working copy."""
    return working_copy(tmp_path / "here", tmp_path / "shared")


def working_copy(folder: Path, shared: Path, *, partial: bool = True) -> Repository:
    repo = create_repository(folder, preset="vit-ti0", identity=SAMPLE_IDENTITY)
    repo.update_config(lambda config: config.with_remote(origin(shared, partial=partial)))
    attach(repo)
    return repo


def origin(shared: Path, *, partial: bool = True) -> Remote:
    return Remote(name="origin", url=str(shared), partial=partial)


def reach(shared: Repository) -> RemoteRepository:
    return connect(origin(shared.path))


def take(repo: Repository, shared: Repository, *tasks: str) -> dict[str, str]:
    """Fetches and adopts; returns outcomes by task."""
    fetch(repo, reach(shared), tasks=tasks)
    tracking = read_tracking(repo.state, origin(shared.path))
    return outcomes(adopt(repo, tracking, tasks or tracking.heads, Policy()))


class TestFetch:
    def test_brings_manifests_and_roots_but_no_components_and_moves_nothing(
        self, shared: Repository, here: Repository
    ) -> None:
        result = fetch(here, reach(shared))
        assert outcomes(result) == {"a": "new", "b": "new", "c": "new"}
        assert [root.name for root in result.roots] == ["tiny"]
        assert here.refs.tasks() == ()
        assert list(here.objects.ids("component")) == []
        assert set(here.objects.ids("commit")) == set(shared.objects.ids("commit"))
        assert result.num_objects == sum(1 for _ in here.store.list("objects"))

    def test_again_brings_nothing(self, shared: Repository, here: Repository) -> None:
        fetch(here, reach(shared))
        again = fetch(here, reach(shared))
        assert set(outcomes(again).values()) == {"up-to-date"}
        assert (again.num_objects, again.roots, again.tags) == (0, (), ())

    def test_brings_only_what_is_new(self, shared: Repository, here: Repository) -> None:
        fetch(here, reach(shared))
        evolve_sample(shared, "c", score=0.9)
        result = fetch(here, reach(shared))
        assert outcomes(result)["c"] == "updated"
        assert result.num_objects == 3  # model, snapshot, commit

    def test_one_task_comes_with_those_it_learned_from_only(self, shared: Repository, here: Repository) -> None:
        result = fetch(here, reach(shared), tasks=["b"])
        assert outcomes(result) == {"a": "new", "b": "new"}
        assert commit_of(shared, "c") not in set(here.objects.ids("commit"))

    def test_one_task_of_many_lists_nothing(self, shared: Repository, here: Repository) -> None:
        fetch(here, reach(shared))
        store = WrappedStore(LocalStore(shared.path))
        fetch(here, RemoteRepository(origin(shared.path), store), tasks=["a"])
        assert [prefix for method, prefix in store.log if method == "list"] == ["refs/roots"]

    def test_nothing_new_costs_few_listings_and_the_newest_entry_of_each_head(
        self, shared: Repository, here: Repository
    ) -> None:
        fetch(here, reach(shared))
        store = WrappedStore(LocalStore(shared.path))
        fetch(here, RemoteRepository(origin(shared.path), store))
        assert store.calls == {"list": 3, "read": 3}  # all there is: is all there that was? then roots, tags

    def test_an_unknown_task(self, shared: Repository, here: Repository) -> None:
        add_sample_task(shared, "digits")
        with pytest.raises(NotFoundError, match="no task digit on the remote origin") as info:
            fetch(here, reach(shared), tasks=["digit"])
        assert info.value.hint == "Did you mean digits?"

    def test_no_repository_there(self, here: Repository, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="No repository at"):
            fetch(here, connect(origin(tmp_path / "none")))

    def test_another_root_of_that_name_stays_out_and_nothing_else_does(
        self, shared: Repository, here: Repository
    ) -> None:
        model = replace(shared.objects.model(shared.refs.roots()["tiny"]), seed=5)
        here.refs.create_root("tiny", here.objects.put(model))
        before = here.refs.roots()
        result = fetch(here, reach(shared))
        assert [(root.name, root.outcome) for root in result.roots] == [("tiny", "conflict")]
        assert "two systems that grew from different roots" in (result.roots[0].reason or "")
        assert (here.refs.roots(), set(outcomes(result).values())) == (before, {"new"})

    def test_refuses_damaged_manifests_and_names_them(self, shared: Repository, here: Repository) -> None:
        oid = model_of(shared, "c")
        file = shared.path / object_key("model", oid)
        file.write_bytes(file.read_bytes().replace(b"0.5", b"0.9"))
        result = fetch(here, reach(shared))
        assert f"model {oid}" in broken(result)["task c"]
        assert outcomes(result) == {"a": "new", "b": "new", "c": "broken"}
        assert not here.objects.has("model", oid)
        assert not here.objects.has("commit", commit_of(shared, "c"))

    def test_refuses_a_head_that_names_another_task(self, shared: Repository, here: Repository) -> None:
        shared.refs.append("d", commit_of(shared, "c"), after=None)
        found = broken(fetch(here, reach(shared)))
        assert re.search(r"head of d on the remote origin .* of the task c", found["task d"])
        assert "d" not in read_tracking(here.state, origin(shared.path)).heads

    def test_takes_nothing_from_another_repository_in_its_place(
        self, shared: Repository, here: Repository, tmp_path: Path
    ) -> None:
        take(here, shared)
        shared.path.rename(tmp_path / "moved")
        anew = sample_repository(tmp_path / "shared", bare=True, identity="b" * 32)
        add_sample_task(anew, "d")
        for _ in range(2):  # before and after what was seen is forgotten
            with pytest.raises(ConflictError, match="is another repository: its identity is bbbbbbbb") as info:
                fetch(here, reach(anew))
            assert f"mu2net clone {anew.path} FOLDER" in str(info.value.hint)
            assert "d" not in read_tracking(here.state, origin(anew.path)).heads
            assert not here.objects.has("commit", commit_of(anew, "d"))
            forget_tracking(here.state, "origin")

    def test_takes_what_others_put_in_its_place_who_share_it_and_tells_what_is_gone(
        self, shared: Repository, here: Repository, tmp_path: Path
    ) -> None:
        take(here, shared)
        shared.path.rename(tmp_path / "moved")
        anew = sample_repository(tmp_path / "shared", bare=True)
        add_sample_task(anew, "d")
        with pytest.raises(CorruptObjectError, match=r"is behind what was seen of it: entries 1 to 3 of a"):
            fetch(here, reach(anew))
        assert read_tracking(here.state, origin(anew.path)).heads["d"].commit == commit_of(anew, "d")


class TestTags:
    def test_come_with_all_they_name(self, shared: Repository, here: Repository) -> None:
        snapshot = Snapshot(heads={"a": commit_of(shared, "a")}, roots=shared.refs.roots())
        shared.refs.create_tag("v1", shared.objects.put(snapshot))
        assert [(tag.name, tag.outcome) for tag in fetch(here, reach(shared)).tags] == [("v1", "new")]
        assert here.refs.tags() == shared.refs.tags()
        assert fsck(here).problems == ()

    def test_ours_stays_when_theirs_differs(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        ours, theirs = (Snapshot(heads={task: commit_of(shared, task)}, roots={}) for task in ("a", "b"))
        here.refs.create_tag("v1", here.objects.put(ours))
        shared.refs.create_tag("v1", shared.objects.put(theirs))
        before = here.refs.tags()
        tags = fetch(here, reach(shared)).tags
        assert [(tag.name, tag.outcome) for tag in tags] == [("v1", "conflict")]
        assert "tags never move" in (tags[0].reason or "")
        assert here.refs.tags() == before


class TestAdopt:
    def test_everything_new(self, shared: Repository, here: Repository) -> None:
        assert take(here, shared) == {"a": "new", "b": "new", "c": "new"}
        assert {task: commit_of(here, task) for task in "abc"} == {task: commit_of(shared, task) for task in "abc"}
        assert fsck(here).problems == ()
        assert load_system(here) == load_system(shared)

    def test_one_task_makes_its_teachers_known(self, shared: Repository, here: Repository) -> None:
        assert take(here, shared, "b") == {"a": "new", "b": "new"}
        assert set(load_system(here).rules) == {"a", "b"}
        assert fsck(here).problems == ()

    def test_only_behind_is_moved_along(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        evolve_sample(shared, "c", score=0.9)
        evolve_sample(here, "a", score=0.9)
        assert take(here, shared) == {"a": "ahead", "b": "up-to-date", "c": "updated"}

    def test_a_task_tracked_before_but_never_adopted_is_known_when_needed(
        self, shared: Repository, here: Repository
    ) -> None:
        fetch(here, reach(shared))
        assert take(here, shared, "b") == {"a": "new", "b": "new"}

    def test_a_conflict_does_not_keep_the_others(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        for repo in (shared, here):
            evolve_sample(repo, "a", score=0.8 if repo is here else 0.9)
            evolve_sample(shared, "c", score=0.9)
        fetch(here, reach(shared))
        tracking = read_tracking(here.state, origin(shared.path))
        with pytest.raises(ConflictError, match="Both sides moved the head of a"):
            adopt(here, tracking, tracking.heads, Policy(on_conflict="fail"))
        assert commit_of(here, "c") == commit_of(shared, "c")

    def test_order_of_adopting_keeps_the_rules_whole_at_every_moment(
        self, shared: Repository, here: Repository
    ) -> None:
        fetch(here, reach(shared))
        tracking = read_tracking(here.state, origin(shared.path))
        for at in range(1, 20):
            copy = working_copy(here.worktree.parent / f"copy{at}", shared.path)
            fetch(copy, reach(shared))
            copy.refs.store = FaultyStore(copy.store, at=at, how="raise", when="after")
            try:
                adopt(copy, tracking, tracking.heads, Policy())
            except StorageError:
                assert set(load_system(open_repository(copy.worktree)).rules) >= trained_by(copy)
                assert fsck(open_repository(copy.worktree)).problems == ()
                continue
            assert at > 4
            return


def trained_by(repo: Repository) -> set[str]:
    system = load_system(repo)
    return {task for model in system.retained().values() for task in model.trained_by}


class TestComponents:
    def test_come_when_needed_and_stay(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        wanted = here.objects.model(model_of(here, "a")).components[0]
        assert here.objects.component(wanted.id).name == wanted.name
        assert list(here.objects.ids("component")) == [wanted.id]
        (shared.path / object_key("component", wanted.id)).unlink()
        assert here.objects.component(wanted.id).name == wanted.name

    def test_damaged_ones_are_refused_and_named(self, shared: Repository, here: Repository) -> None:
        take(here, shared)
        oid = here.objects.model(model_of(here, "a")).components[0].id
        file = shared.path / object_key("component", oid)
        file.write_bytes(file.read_bytes()[:-1] + b"\x00\x01")
        with pytest.raises(CorruptObjectError, match=f"component {oid} on the remote origin"):
            here.objects.component(oid)
        assert not here.objects.has("component", oid)

    def test_of_every_retained_model_come_with_a_full_fetch(self, shared: Repository, tmp_path: Path) -> None:
        full = working_copy(tmp_path / "full", shared.path, partial=False)
        fetch(full, connect(origin(shared.path, partial=False)))
        assert set(full.objects.ids("component")) == set(shared.objects.ids("component"))


class TestInterrupted:
    @pytest.mark.parametrize("partial", [True, False])
    def test_at_any_call_leaves_a_whole_copy_and_goes_on(
        self, shared: Repository, tmp_path: Path, partial: bool
    ) -> None:
        reads = frozenset({"read", "list", "exists"})
        for at in range(1, 200, 2 if partial else 5):
            copy = working_copy(tmp_path / f"copy{at}", shared.path, partial=partial)
            store = FaultyStore(LocalStore(shared.path), at=at, methods=reads)
            try:
                fetch(copy, RemoteRepository(origin(shared.path, partial=partial), store))
            except StorageError:
                assert fsck(copy).problems == ()
                fetch(copy, connect(origin(shared.path, partial=partial)))
                assert take(copy, shared) == {"a": "new", "b": "new", "c": "new"}
                assert fsck(copy).problems == ()
                assert partial or set(copy.objects.ids("component")) == set(shared.objects.ids("component"))
                continue
            assert at > 20
            return
        pytest.fail("the fetch never got through")


def test_a_history_that_many_tags_name_is_walked_once(
    shared: Repository, here: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        commit = evolve_sample(shared, "c", score=0.5, seed=number).commit
        snapshot = Snapshot(heads={"c": commit}, roots={}, tag=f"v{number}", identity=shared.identity)
        shared.refs.create_tag(f"v{number}", shared.objects.put(snapshot))
    looked, look = Counter[str](), ObjectDatabase.commit
    monkeypatch.setattr(ObjectDatabase, "commit", lambda self, oid: looked.update([oid]) or look(self, oid))
    assert len(fetch(here, reach(shared)).tags) == 20
    assert looked.total() < 20 * 20, "no walk for each tag"
