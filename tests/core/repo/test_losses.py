"""What a remote can lose, and what a working copy that saw it before does about that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError, CorruptObjectError, NotFoundError
from mu2net_core.objects import AccessRule, Kind, Snapshot, encode, hash_bytes, object_key
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.adopt import adopt, first_commit
from mu2net_core.repo.epoch import is_epoch_key, new_epoch
from mu2net_core.repo.fetching import fetch
from mu2net_core.repo.findings import FsckReport
from mu2net_core.repo.fsck import examine
from mu2net_core.repo.guard import GuardedSource
from mu2net_core.repo.join import Policy
from mu2net_core.repo.merge import contains
from mu2net_core.repo.patient import patient_there
from mu2net_core.repo.preview import preview
from mu2net_core.repo.pushing import push
from mu2net_core.repo.refs import Refs, entry_key
from mu2net_core.repo.remotes import attach, connect
from mu2net_core.repo.tracking import forget_tracking, read_tracking, write_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.samples import add_sample_task, evolve_sample, sample_repository, sample_task, sample_tombstone
from mu2net_core.testing.sharing import broken, clone_of, commit_of, outcomes
from mu2net_core.testing.wrappers import Watched, WrappedStore

_FOLDER, _BUCKET = "folder, looked at just now", "bucket, looked at long ago"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Lost = Callable[[list[str]], Iterable[str]]


def below(prefix: str) -> Lost:
    return lambda keys: [key for key in keys if key.startswith(prefix)]


def first(prefix: str) -> Lost:
    return lambda keys: below(prefix)(keys)[:1]


def keys(*names: str) -> Lost:
    return lambda keys: [key for key in keys if key in names]


KINDS = ("component", "model", "task", "commit", "snapshot")
LOSSES: dict[str, Lost] = {
    **{f"one {kind}": first(f"objects/{kind}/") for kind in KINDS},
    **{f"every {kind}": below(f"objects/{kind}/") for kind in KINDS},
    "all objects": below("objects/"),
    "the first entry": keys(entry_key("a", 1)),
    "a middle entry": keys(entry_key("a", 3)),
    "the last entry": keys(entry_key("a", 5)),
    "the last entries": keys(*(entry_key("a", number) for number in (3, 4, 5))),
    "entries here and there": keys(*(entry_key("a", number) for number in (1, 3)), entry_key("b/c", 5)),
    "a whole head": below("refs/heads/a/"),
    "all heads": below("refs/heads/"),
    "a tag": below("refs/tags/"),
    "a root": below("refs/roots/"),
    "the epoch": below("refs/epoch/"),
    "config.toml": keys("config.toml"),
    "all refs": below("refs/"),
    "all but the epoch": lambda keys: [key for key in keys if not is_epoch_key(key)],
}


def seconds(after: float) -> Callable[[], datetime]:
    return lambda: NOON + timedelta(seconds=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A remote, and the time at which something is lost there, after it was looked at at noon."""

    remote: Remote
    clock: Callable[[], datetime]

    @property
    def store(self) -> Store:
        return open_store(self.remote.url)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with a working copy ``ann`` that pushed each entry of two heads, and a tag; and the remote."""
    folder = tmp_path_factory.mktemp("shared")
    remote = Remote(name="origin", url=str(folder / "shared"))
    repo = sample_repository(folder / "ann")
    repo.update_config(lambda config: config.with_remote(remote))
    for task in ("a", "b/c"):
        add_sample_task(repo, task)
    for score in (0.2, 0.3, 0.4, 0.5):
        push(repo, remote, clock=seconds(0))
        for task in ("a", "b/c"):
            evolve_sample(repo, task, score=score, seed=sum(task.encode()) + round(10 * score))
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    push(repo, remote, clock=seconds(0))
    return folder


@pytest.fixture(params=[_FOLDER, _BUCKET])
def place(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Place:
    """Returns a copy of the remote."""
    is_folder = request.param == _FOLDER
    url = str(tmp_path / "shared") if is_folder else f"memory://{hash_bytes(request.node.nodeid.encode())}"
    store = open_store(url)
    for key, data in contents(open_store(str(shared / "shared"))).items():
        store.create(key, data)
    return Place(remote=Remote(name="origin", url=url), clock=seconds(1 if is_folder else 31))


@pytest.fixture
def ann(place: Place, tmp_path: Path, shared: Path) -> Repository:
    """Returns a copy of the working copy that knows the remote."""
    shutil.copytree(shared / "ann", tmp_path / "ann")
    repo = open_repository(tmp_path / "ann")
    known = read_tracking(repo.state, repo.config.remotes["origin"])
    repo.update_config(lambda config: config.with_remote(place.remote))
    write_tracking(repo.state, "origin", replace(known, url=place.remote.url))
    attach(repo)
    return repo


def contents(store: Store) -> dict[str, bytes]:
    return {key: store.read(key) for key in store.list("")}


def check(repo: Repository, remote: Remote, source: Repository | None = None) -> FsckReport:
    reached = connect(remote)
    guarded = None if source is None else GuardedSource(source, repo, reached.audience)
    return examine(patient_there(reached, repo), source=guarded)


def lost_keys(place: Place, name: str) -> set[str]:
    """Deletes what ``name`` says; returns the keys of epochs in it: another one is as good."""
    gone = list(LOSSES[name](list(place.store.list(""))))
    assert gone
    for key in gone:
        place.store.delete(key)
    return {key for key in gone if is_epoch_key(key)}


@pytest.mark.parametrize("name", LOSSES)
def test_whatever_is_lost_is_told_and_sent_again(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert preview(ann, place.remote, clock=place.clock).lost
    evolve_sample(ann, "a", score=0.9)
    result = push(ann, place.remote, clock=place.clock)
    assert result.restored
    assert result.missing == ()
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")
    assert check(ann, place.remote).is_clean
    again = push(ann, place.remote, clock=place.clock)
    assert (again.restored, set(outcomes(again).values())) == ((), {"up-to-date"})


@pytest.mark.parametrize("place", [_BUCKET], indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_nothing_new_to_send_is_no_reason_to_call_it_up_to_date(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert push(ann, place.remote, clock=place.clock).restored
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced


@pytest.mark.parametrize("place", [_FOLDER], indirect=True)
@pytest.mark.parametrize("name", LOSSES)
def test_fsck_finds_the_same_and_heals_it(ann: Repository, place: Place, name: str) -> None:
    before = contents(place.store)
    replaced = lost_keys(place, name)
    assert not check(ann, place.remote).is_clean
    assert check(ann, place.remote, source=ann).is_clean
    after = contents(place.store)
    assert {key for key in before if after.get(key) != before[key]} == replaced


@pytest.mark.parametrize("name", [name for name in LOSSES if name[:4] != "one "])
def test_a_fetch_tells_and_forgets_nothing(ann: Repository, place: Place, name: str) -> None:
    known = read_tracking(ann.state, place.remote)
    lost_keys(place, name)
    for _ in range(2):
        with pytest.raises(CorruptObjectError, match=r"is behind what was seen of it: .* gone there") as info:
            fetch(ann, connect(place.remote), clock=place.clock)
        assert "mu2net push origin" in str(info.value.hint)
    now = read_tracking(ann.state, place.remote)
    assert now.lost
    assert (now.heads, now.tags, now.roots) == (known.heads, known.tags, known.roots)
    assert push(ann, place.remote, clock=place.clock).restored
    fetch(ann, connect(place.remote), clock=place.clock)
    assert read_tracking(ann.state, place.remote).lost == ()


@pytest.mark.parametrize("kind", ["commit", "model", "component"])
def test_a_fetch_tells_of_what_the_newest_entry_needs(ann: Repository, place: Place, kind: Kind) -> None:
    commit_id = commit_of(ann, "a")
    model_id = ann.objects.commit(commit_id).model or ""
    ids = {"commit": commit_id, "model": model_id, "component": ann.objects.model(model_id).components[-1].id}
    place.store.delete(object_key(kind, ids[kind]))
    with pytest.raises(CorruptObjectError, match=f"is behind what was seen of it: 1 {kind} is gone there"):
        fetch(ann, connect(place.remote), clock=place.clock)
    assert read_tracking(ann.state, place.remote).lost == (f"1 {kind}",)


def test_a_fetch_of_one_task_tells_of_that(ann: Repository, place: Place) -> None:
    lost_keys(place, "the last entry")
    fetch(ann, connect(place.remote), tasks=["b/c"], clock=place.clock)
    found = broken(fetch(ann, connect(place.remote), tasks=["a"], clock=place.clock))
    assert "is behind what was seen of it: entry 5 of a is gone there" in found["task a"]


def test_of_a_remote_where_nothing_is_left_it_is_said_how_to_begin_anew(ann: Repository, place: Place) -> None:
    for key in list(place.store.list("")):
        place.store.delete(key)
    for exchange in (push, lambda repo, remote, clock: fetch(repo, connect(remote), clock=clock)):
        with pytest.raises(NotFoundError, match="is gone: nothing of it is left") as info:
            exchange(ann, place.remote, clock=place.clock)
        commands = str(info.value.hint).split("`")[1::2]
        assert commands == [
            "mu2net remote remove origin",
            f"mu2net remote add origin {place.remote.url}",
            "mu2net push origin",
        ]
        assert read_tracking(ann.state, place.remote).lost == ("all of it",)
    assert list(place.store.list("")) == []


@pytest.mark.parametrize("place", [_BUCKET], indirect=True)
def test_what_a_push_sent_before_it_saw_that_nothing_is_left_is_no_other_repository(
    ann: Repository, place: Place
) -> None:
    for key in list(place.store.list("")):
        place.store.delete(key)
    evolve_sample(ann, "a", score=0.9)
    for after in (1, 2, 60):
        with pytest.raises(NotFoundError, match="is gone: nothing of it is left"):
            push(ann, place.remote, clock=seconds(after))
    assert list(place.store.list("objects"))
    forget_tracking(ann.state, "origin")
    push(ann, place.remote, clock=seconds(90))
    assert check(ann, place.remote).is_clean


@pytest.mark.parametrize("kind", ["tag", "root"])
def test_another_of_the_same_name_is_a_conflict(ann: Repository, place: Place, kind: str) -> None:
    lost_keys(place, f"a {kind}")
    theirs = commit_of(ann, "a")
    if kind == "tag":
        snapshot = encode(Snapshot(heads={"a": theirs}, roots=ann.refs.roots()))
        place.store.create(object_key("snapshot", hash_bytes(snapshot)), snapshot)
        Refs(place.store).create_tag("v1", hash_bytes(snapshot))
    else:
        (name,) = ann.refs.roots()
        Refs(place.store).create_root(name, ann.objects.commit(theirs).model or "")
    found = [problem.object for problem in check(ann, place.remote).problems]
    assert [key.split("/")[1] for key in found] == [f"{kind}s"]
    with pytest.raises(ConflictError):
        push(ann, place.remote, clock=seconds(99))
    fetched = fetch(ann, connect(place.remote), clock=seconds(200))
    (report,) = fetched.tags if kind == "tag" else fetched.roots
    assert report.outcome == "conflict"


def test_what_somebody_else_sent_and_is_lost_fails_each_time_and_is_noted(
    ann: Repository, place: Place, tmp_path: Path
) -> None:
    ben = clone_of(place.remote, tmp_path / "ben")
    attach(ben)
    evolve_sample(ann, "a", score=0.9)
    push(ann, place.remote, clock=seconds(99))
    place.store.delete(object_key("commit", commit_of(ann, "a")))
    place.store.delete(entry_key("b/c", 5))
    new_epoch(place.store)
    for time in (100, 101, 200):
        pushed = push(ben, place.remote, clock=seconds(time))
        assert "is missing on the remote" in broken(pushed)["task a"]
        assert pushed.restored == (("entry 5 of b/c",) if time == 100 else ())
        assert read_tracking(ben.state, place.remote).lost
    push(ann, place.remote, clock=seconds(300))
    push(ben, place.remote, clock=seconds(300))
    assert read_tracking(ben.state, place.remote).lost == ()


class TestWhatIsNotHereEither:
    """In a partial clone components are only there."""

    @pytest.fixture
    def bob(self, ann: Repository, place: Place, tmp_path: Path) -> Repository:
        bob = clone_of(place.remote, tmp_path / "bob")
        for key in list(bob.store.list("objects/component")):
            bob.store.delete(key)
        return open_repository(tmp_path / "bob")

    def lose_component(self, ann: Repository, place: Place, task: str) -> str:
        """Deletes the newest component of a task's head over there."""
        model = ann.objects.model(ann.objects.commit(commit_of(ann, task)).model or "")
        key = object_key("component", model.components[-1].id)
        place.store.delete(key)
        return key

    def test_is_told_and_moves_no_head_that_needs_it(self, ann: Repository, bob: Repository, place: Place) -> None:
        key = self.lose_component(ann, place, "a")
        add_sample_task(bob, "d")
        result = push(bob, place.remote, clock=place.clock)
        assert result.missing == ("1 component",)
        assert outcomes(result) == {"a": "skipped", "b/c": "unchanged", "d": "new"}
        assert read_tracking(bob.state, place.remote).lost == ("1 component",)
        assert push(bob, place.remote, clock=place.clock).missing == ("1 component",)
        assert push(ann, place.remote, clock=place.clock).restored == ("1 component",)
        assert place.store.exists(key)
        assert push(bob, place.remote, clock=place.clock).missing == ()
        assert read_tracking(bob.state, place.remote).lost == ()

    def test_is_told_in_another_epoch_too(self, ann: Repository, bob: Repository, place: Place) -> None:
        self.lose_component(ann, place, "a")
        new_epoch(place.store)
        for _ in range(2):
            assert push(bob, place.remote, clock=place.clock).missing == ("1 component",)

    def test_no_entry_comes_back_without_it(self, ann: Repository, bob: Repository, place: Place) -> None:
        self.lose_component(ann, place, "a")
        place.store.delete(entry_key("a", 5))
        result = push(bob, place.remote, clock=place.clock)
        assert result.missing == ("entry 5 of a", "1 component")
        assert not place.store.exists(entry_key("a", 5))

    def test_an_entry_that_nothing_proves_leaves_a_gap_that_is_told(self, ann: Repository, place: Place) -> None:
        log = Refs(place.store).log("a")
        other = Refs(place.store).append("a", commit_of(ann, "b/c"), after=log[-1])
        last = Refs(place.store).append("a", commit_of(ann, "a"), after=other)
        known = read_tracking(ann.state, place.remote).with_heads([last])
        write_tracking(ann.state, "origin", known)
        place.store.delete(entry_key("a", 6))
        evolve_sample(ann, "a", score=0.9)
        result = push(ann, place.remote, clock=place.clock)
        assert result.missing == ("entry 6 of a",)
        assert outcomes(result)["a"] == "skipped"
        assert not place.store.exists(entry_key("a", 8))

    def test_what_its_readers_may_not_see_any_more_stays_here(self, ann: Repository, place: Place) -> None:
        state = ann.refs.head("a")
        assert state is not None
        task_id = ann.objects.put(sample_task("a", AccessRule.only(["a"])))
        hidden = replace(ann.objects.commit(state.commit), task_id=task_id, parents=(state.commit,))
        ann.refs.append("a", ann.objects.put(hidden), after=state)
        key = self.lose_component(ann, place, "a")
        assert push(ann, place.remote, clock=place.clock).missing == ("1 component",)
        assert not place.store.exists(key)


class TestSomebodyWentOn:
    """The remote came back from a backup, and others pushed on top of that before we look."""

    @pytest.mark.parametrize("name", ["the last entry", "the last entries", "a whole head"])
    @pytest.mark.parametrize("num_theirs", [1, 2, 3])
    def test_both_histories_are_joined_and_no_entry_is_replaced(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, num_theirs: int
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, name)
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, num_theirs)
        before = contents(place.store)
        mine = evolve_sample(ann, "a", score=0.9)
        result = push(ann, place.remote, clock=place.clock)
        assert any("a, on another log than was seen" in word for word in result.restored)
        after = contents(place.store)
        assert {key: after.get(key) for key in before} == before
        newest = Refs(place.store).log("a")[-1]
        for commit in (theirs, mine.commit, seen.commit):
            assert contains(ann.objects, newest.commit, commit)
        assert check(ann, place.remote).is_clean

    def test_so_it_is_in_another_epoch(self, ann: Repository, place: Place, tmp_path: Path) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, "the last entry")
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, 1)
        new_epoch(place.store)
        push(ann, place.remote, clock=place.clock)
        newest = Refs(place.store).log("a")[-1]
        assert contains(ann.objects, newest.commit, theirs)
        assert contains(ann.objects, newest.commit, seen.commit)
        assert read_tracking(ann.state, place.remote).lost == ()
        assert check(ann, place.remote).is_clean

    @pytest.mark.parametrize("name", ["the last entry", "the last entries"])
    def test_a_fetch_tells(self, ann: Repository, place: Place, tmp_path: Path, name: str) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        lost_keys(place, name)
        place.store.delete(object_key("commit", seen.commit))
        theirs = self.went_on(bob, place, 2)
        if name == "the last entries":
            with pytest.raises(CorruptObjectError, match=r"behind what was seen of it: entry 5 of a"):
                fetch(ann, connect(place.remote), clock=place.clock)
            return
        told = {report.task: report.reason for report in fetch(ann, connect(place.remote), clock=place.clock).tasks}
        assert "on another log than was seen" in (told["a"] or "")
        assert self.joined(ann, place, theirs, seen.commit)

    @pytest.mark.parametrize("name", ["the last entry", "the last entries", "a whole head"])
    @pytest.mark.parametrize("more", [0, 1])
    def test_where_only_the_entries_are_gone_no_verb_calls_it_up_to_date(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, more: int
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        bob = clone_of(place.remote, tmp_path / "bob")
        theirs = self.replaced(bob, place, name, more)
        assert not check(ann, place.remote).is_clean
        assert {p.name: p.outcome for p in preview(ann, place.remote, clock=place.clock).tasks}["a"] == "merge"
        result = push(ann, place.remote, clock=seconds(31))
        assert outcomes(result)["a"] in {"merged", "updated"}
        newest = Refs(place.store).log("a")[-1]
        assert contains(ann.objects, newest.commit, theirs)
        assert contains(ann.objects, newest.commit, seen.commit)
        assert check(ann, place.remote).is_clean

    @pytest.mark.parametrize("name", ["the last entry", "a whole head"])
    @pytest.mark.parametrize("more", [0, 1])
    @pytest.mark.parametrize("tasks", [(), ("a",)])
    def test_what_was_seen_and_never_merged_is_joined(
        self, ann: Repository, place: Place, tmp_path: Path, name: str, more: int, tasks: tuple[str, ...]
    ) -> None:
        seen = read_tracking(ann.state, place.remote).heads["a"]
        ben = clone_of(place.remote, tmp_path / "ben")
        attach(ben)
        evolve_sample(ann, "a", score=0.9)
        push(ann, place.remote, clock=seconds(99))
        fetch(ben, connect(place.remote))
        place.store.delete(entry_key("a", 6))
        theirs = self.replaced(ann, place, name, more + 5 * (name == "a whole head") + 1)
        (told,) = [report for report in fetch(ben, connect(place.remote), tasks=tasks).tasks if report.task == "a"]
        assert (told.outcome, told.reason) == (
            "updated",
            "on another log than was seen; what was seen of it is kept here",
        )
        assert self.joined(ben, place, theirs, seen.commit, commit_of(ann, "a"))

    def joined(self, repo: Repository, place: Place, *commits: str) -> bool:
        """Pulls, pushes and fetches; returns whether all of ``commits`` are in the head of ``a``, and all is whole."""
        fetch(repo, connect(place.remote))
        adopt(repo, read_tracking(repo.state, place.remote), ["a"], Policy(), remote=place.remote)
        is_whole = all(contains(repo.objects, commit_of(repo, "a"), commit) for commit in commits)
        push(repo, place.remote)
        fetch(repo, connect(place.remote))
        assert read_tracking(repo.state, place.remote).lost == ()
        return is_whole and check(repo, place.remote).is_clean

    def replaced(self, bob: Repository, place: Place, name: str, more: int) -> str:
        """Lets the log of ``a`` end early, and others go on until it is ``more`` longer than it was."""
        lost = len(list(LOSSES[name](list(place.store.list("")))))
        lost_keys(place, name)
        return self.went_on(bob, place, lost + more)

    def went_on(self, bob: Repository, place: Place, number: int) -> str:
        """Appends entries to the log that is there, as somebody does who never saw more of it; returns the last one."""
        refs = Refs(place.store)
        state = refs.head("a")
        commit = bob.objects.commit(state.commit if state else first_commit(bob.objects, commit_of(bob, "a")))
        for score in range(number):
            commit = replace(commit, message=f"bob {score}", parents=(state.commit,) if state else ())
            data = encode(commit)
            place.store.create(object_key("commit", hash_bytes(data)), data)
            state = refs.append("a", hash_bytes(data), after=state)
        assert state is not None
        return state.commit


def test_a_newest_entry_that_names_nothing_is_told_and_put_back(ann: Repository, place: Place) -> None:
    key = entry_key("a", 5)
    before = place.store.read(key)
    place.store.delete(key)
    Refs(place.store).append("a", "0" * 64, after=Refs(place.store).head("a"))
    reports = {report.task: report for report in push(ann, place.remote, clock=seconds(99)).tasks}
    assert reports["a"].outcome == "broken"
    assert "another entry 5 than before, which names a commit" in str(reports["a"].reason)
    assert {report.outcome for task, report in reports.items() if task != "a"} <= {"up-to-date", "unchanged"}
    found = broken(fetch(ann, connect(place.remote), clock=seconds(99)))
    assert "another entry 5 than before, which names a commit" in found["task a"]
    assert check(ann, place.remote, source=ann).is_clean
    assert place.store.read(key) == before
    assert set(outcomes(push(ann, place.remote, clock=seconds(200))).values()) == {"up-to-date"}


def test_an_entry_lost_since_the_look_is_not_followed(ann: Repository, place: Place) -> None:
    """Between the listing and the move of a head the entry before is read."""

    key = entry_key("a", 5)
    before = place.store.read(key)
    lose = iter([key])

    class Losing(WrappedStore):
        def list(self, prefix: str) -> Iterator[str]:
            yield from tuple(super().list(prefix))
            for lost in lose:
                self.inner.delete(lost)

    evolve_sample(ann, "a", score=0.9)
    push(ann, place.remote, clock=seconds(99), open_store=Watched(Losing))
    assert [state.number for state in Refs(place.store).log("a")] == [1, 2, 3, 4, 5, 6]
    assert place.store.read(key) == before
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")


@pytest.mark.parametrize("place", [_BUCKET], indirect=True)
def test_an_entry_lost_just_after_a_look_comes_back_as_it_was(ann: Repository, place: Place) -> None:
    fetch(ann, connect(place.remote), clock=seconds(100))
    key = entry_key("a", 5)
    before = place.store.read(key)
    place.store.delete(key)
    evolve_sample(ann, "a", score=0.9)
    assert push(ann, place.remote, clock=seconds(110)).restored == ("entry 5 of a",)
    assert place.store.read(key) == before
    assert Refs(place.store).log("a")[-1].number == 6


@pytest.mark.parametrize("place", [_BUCKET], indirect=True)
def test_a_push_that_takes_long_reads_it_though_all_was_looked_at_just_before(ann: Repository, place: Place) -> None:
    evolve_sample(ann, "a", score=0.9)
    place.store.delete(entry_key("a", 5))
    times = chain([20.0], repeat(99.0))
    push(ann, place.remote, clock=lambda: NOON + timedelta(seconds=next(times)))
    assert Refs(place.store).log("a")[-1].commit == commit_of(ann, "a")


def test_a_tombstone_comes_back_before_anything_else(ann: Repository, place: Place) -> None:
    stone = sample_tombstone("a", 1)
    key = Refs(place.store).create_tombstone(stone)
    new_epoch(place.store)
    fetch(ann, connect(place.remote))
    place.store.delete(key)
    assert not check(ann, place.remote).is_clean
    assert push(ann, place.remote, clock=place.clock).restored == ("a tombstone of a",)
    assert place.store.exists(key)
    place.store.delete(key)
    assert check(ann, place.remote, source=ann).is_clean
    assert place.store.exists(key)
