"""Heads that somebody puts back to an older state: told, followed by nobody, and put right by the next push."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import Commit, Limits, encode, hash_bytes
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange.continuity import check_forward, newest_heads
from mu2net_core.repo.history.merging import contains
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.remotes.tracking import Tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import commit_of
from mu2net_core.testing.worlds.signers import SignedScene, set_scene, signed, told

AT = "2026-01-02T03:04:05.000000+00:00"


class Commits(dict[str, Commit]):
    """Commits by id, made one by one."""

    def make(self, *parents: str, merges: bool = False, removed: bool = False) -> str:
        message = "merge" if merges else f"number {len(self)}"
        made = Commit(
            task="a", task_id="1" * 64, parents=tuple(sorted(parents)), started_at=AT, finished_at=AT, message=message
        )
        made = replace(made, removed=removed)
        oid = hash_bytes(encode(made))
        self[oid] = made
        return oid

    def commit(self, oid: str) -> Commit:
        if oid not in self:
            raise NotFoundError(oid)
        return self[oid]

    def model(self, oid: str) -> None:
        raise AssertionError(oid)

    task = model


class TestCheckForward:
    @pytest.fixture
    def commits(self) -> Commits:
        return Commits()

    def line(self, commits: Commits, length: int, begin: str | None = None) -> list[str]:
        made = [commits.make(*filter(None, [begin]))]
        for _ in range(length - 1):
            made.append(commits.make(made[-1]))
        return made

    def test_what_goes_forward_is_fine(self, commits: Commits) -> None:
        line = self.line(commits, 9)
        assert check_forward(commits, "a", line) is None  # type: ignore[arg-type]
        assert check_forward(commits, "a", line[:1] + line[4::2]) is None  # type: ignore[arg-type]

    @pytest.mark.parametrize("places", [(0, 3, 1), (0, 1, 2, 3, 0), (3, 3, 2)])
    def test_what_goes_back_is_named(self, commits: Commits, places: Iterable[int]) -> None:
        line = self.line(commits, 4)
        log = [line[place] for place in places]
        reason = check_forward(commits, "a", log)  # type: ignore[arg-type]
        assert reason is not None
        assert reason.startswith("the log of a goes back: it had moved to ")
        assert reason.endswith(f"which is not in {log[-1][:10]}, where it is now")

    def test_what_went_back_and_came_forward_again_is_fine(self, commits: Commits) -> None:
        first, second, third = self.line(commits, 3)
        assert check_forward(commits, "a", [first, second, first, third]) is None  # type: ignore[arg-type]

    def test_a_merge_that_joins_what_another_merge_joined_has_it_in_it(self, commits: Commits) -> None:
        base, *_ = self.line(commits, 1)
        left, right, third = (commits.make(base) for _ in range(3))
        two, three = commits.make(left, right, merges=True), commits.make(left, right, third, merges=True)
        assert check_forward(commits, "a", [left, two, three]) is None  # type: ignore[arg-type]
        assert check_forward(commits, "a", [left, three, two]) is not None  # type: ignore[arg-type]

    def test_a_purge_begins_anew_once(self, commits: Commits) -> None:
        old = self.line(commits, 3)
        purged = commits.make(removed=True)
        new = self.line(commits, 2, purged)
        again = commits.make(removed=True)
        for log in ([*old, purged], [*old, purged, *new], [*old, purged, *new, again]):
            assert check_forward(commits, "a", log) is None  # type: ignore[arg-type]
        for log in ([*old, purged, *new, purged], [*new, purged], [*old, purged, old[-1]], [*old, purged, old[0]]):
            assert check_forward(commits, "a", log) is not None, log  # type: ignore[arg-type]

    def test_what_a_purge_took_need_not_be_there(self, commits: Commits) -> None:
        old = self.line(commits, 3)
        purged = commits.make(removed=True)
        for oid in old:
            del commits[oid]
        assert check_forward(commits, "a", [*old, purged]) is None  # type: ignore[arg-type]

    def test_what_is_nowhere_is_not_in_it(self, commits: Commits) -> None:
        first, second = self.line(commits, 2)
        assert check_forward(commits, "a", [first, "0" * 64, second]) is not None  # type: ignore[arg-type]

    @given(st.data())
    def test_of_any_history_it_is_fine_exactly_if_the_last_contains_all(self, data: st.DataObject) -> None:
        commits, made = Commits(), list[str]()
        for _ in range(data.draw(st.integers(1, 7))):
            parents = data.draw(st.lists(st.sampled_from(made), max_size=2, unique=True)) if made else []
            made.append(commits.make(*parents, merges=len(parents) == 2 and data.draw(st.booleans())))
        log = data.draw(st.lists(st.sampled_from(made), min_size=1, max_size=6))
        is_fine = all(contains(commits, log[-1], oid) for oid in log)  # type: ignore[arg-type]
        assert (check_forward(commits, "a", log) is None) == is_fine  # type: ignore[arg-type]


@pytest.fixture
def scene(context: Context, origin: Remote) -> SignedScene:
    """Returns a place where Ann shares a, which she moved twice, and b; Bob requires signatures."""
    return set_scene(context, origin, begin)


def begin(ann: Repository, context: Context) -> None:
    for task in ("a", "b"):
        signed(ann, context, task)
    signed(ann, context, "a", score=0.5)
    push(ann, context)
    signed(ann, context, "a", score=0.6)


everywhere = pytest.mark.parametrize("medium", ["folder", "bucket"])


def older(scene: SignedScene) -> str:
    """Returns the commit that the head of a was at before the newest."""
    return scene.ann.refs.log("a")[-2].commit


def appended(scene: SignedScene) -> None:
    scene.mallory.move("a", older(scene))


def in_its_place(scene: SignedScene) -> None:
    scene.mallory.overwrite("a", older(scene))


def cut_off(scene: SignedScene) -> None:
    connect(scene.origin).store.delete(entry_key("a", scene.mallory.head("a").number))


def gone(scene: SignedScene) -> None:
    store = connect(scene.origin).store
    for number in range(1, scene.mallory.head("a").number + 1):
        store.delete(entry_key("a", number))


def fetched(scene: SignedScene) -> str:
    """Returns what Bob's fetch says, whether it fails or not."""
    try:
        return "; ".join(report.reason or "" for report in fetch(scene.bob, scene.context).tasks)
    except CorruptObjectError as exc:
        return exc.message


@pytest.mark.parametrize(
    ("medium", "attack", "is_new_epoch"),
    [
        *(("folder", attack, is_new) for attack in (appended, in_its_place, cut_off, gone) for is_new in (False, True)),
        ("bucket", appended, False),
        ("bucket", in_its_place, True),
    ],
)
def test_who_saw_more_is_told_keeps_it_and_puts_it_right(
    scene: SignedScene, attack: Callable[[SignedScene], None], is_new_epoch: bool
) -> None:
    newest = commit_of(scene.ann, "a")
    attack(scene)
    if is_new_epoch:
        scene.mallory.begin_epoch()
    said = fetched(scene)
    assert any(words in said for words in ("goes back", "on another log than was seen", "is behind what was seen"))
    merge(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == newest
    push(scene.bob, scene.context)
    assert contains(scene.ann.objects, scene.mallory.head("a").commit, newest)
    assert scene.clone("new", is_strict=True) == ""
    assert commit_of(open_repository(scene.context.cwd / "new"), "a") == newest


def test_a_pull_tells_it_and_so_does_the_check_of_the_remote(scene: SignedScene) -> None:
    appended(scene)
    problems = fsck(scene.ann, scene.context, remote="origin").problems
    assert [(p.kind, p.object) for p in problems] == [
        ("wrong-reference", entry_key("a", scene.mallory.head("a").number))
    ]
    assert "The log of a goes back" in problems[0].message
    assert "goes back" in told(lambda: pull(scene.bob, scene.context))
    push(scene.bob, scene.context)
    assert fsck(scene.ann, scene.context, remote="origin").problems == ()


@everywhere
def test_a_new_clone_that_requires_signatures_reads_whole_logs(scene: SignedScene) -> None:
    appended(scene)
    assert "goes back" in scene.clone("new", is_strict=True)
    new = scene.context.cwd / "new"
    assert not new.exists() or open_repository(new).refs.head("a") is None


def test_work_that_was_fetched_and_not_taken_over_yet_is_not_forgotten(scene: SignedScene) -> None:
    newest = signed(scene.ann, scene.context, "a", score=0.8)
    push(scene.ann, scene.context)
    fetch(scene.bob, scene.context)
    appended(scene)
    assert "goes back" in told(lambda: pull(scene.bob, scene.context))
    assert commit_of(scene.bob, "a") == newest


def test_nor_is_it_if_the_head_is_put_back_again_and_again(scene: SignedScene) -> None:
    newest = signed(scene.ann, scene.context, "a", score=0.8)
    push(scene.ann, scene.context)
    fetch(scene.bob, scene.context)
    for state in reversed(scene.ann.refs.log("a")[:-1]):
        scene.mallory.move("a", state.commit)
        assert "goes back" in told(lambda: fetch(scene.bob, scene.context))
    merge(scene.bob, scene.context)
    assert commit_of(scene.bob, "a") == newest


def test_a_purge_that_came_before_the_task_was_added_again_removes_it_no_second_time(scene: SignedScene) -> None:
    purge(scene.ann, scene.context, "b", remote="origin", settle=lambda: None)
    follows = replace(scene.context, environ={"MU2NET_PULL_FOLLOW_PURGES": "true"})
    pull(scene.ann, follows)
    purged = scene.mallory.head("b").commit
    before = scene.ann.refs.head("b")
    assert before is not None
    added = add_again(scene.ann, scene.context, "b")
    push(scene.ann, scene.context)
    pull(scene.bob, follows)
    scene.mallory.move("b", purged)
    assert "goes back" in told(lambda: pull(scene.bob, scene.context))
    assert not scene.bob.objects.commit(commit_of(scene.bob, "b")).removed
    assert contains(scene.bob.objects, commit_of(scene.bob, "b"), added)
    assert "goes back" in scene.clone("new", is_strict=True)


def add_again(repo: Repository, context: Context, task: str) -> str:
    """Adds a removed task again, signed."""
    from mu2net_core.api.signing.signing import put_commit

    if (head := repo.refs.head(task)) is None or not repo.objects.commit(head.commit).removed:
        purge(repo, context, task)
        head = repo.refs.head(task)
    assert head is not None
    fresh = sample_repository(context.cwd / "aside")
    plain = fresh.objects.commit(add_sample_task(fresh, task).commit)
    repo.objects.put(fresh.objects.task(plain.task_id))
    commit_id = put_commit(repo, context, replace(plain, parents=(head.commit,), identity=None, message="again"))
    return repo.refs.append(task, commit_id, after=head).commit


class TestVeryLongLogs:
    @pytest.fixture
    def there(self, tmp_path: Path) -> Repository:
        repo = sample_repository(tmp_path / "shared", bare=True)
        add_sample_task(repo, "a")
        head = evolve_sample(repo, "a", score=0.5)
        for _ in range(10):
            head = repo.refs.append("a", head.commit, after=head)
        return repo

    def found(self, there: Repository, most: int, **options: bool) -> object:
        remote = connect(Remote(name="origin", url=str(there.path)), limits=Limits(moves=most))
        seen = there.refs.entry("a", 2)[0]
        tracking = Tracking(url=str(there.path), heads={} if options else {"a": seen})
        return newest_heads(remote, tracking, ["a"], {"a": 12}, **options)["a"]

    @pytest.mark.parametrize(("most", "options"), [(9, {}), (11, {"strict": True})])
    def test_are_told_and_not_followed(self, there: Repository, most: int, options: dict[str, bool]) -> None:
        error = self.found(there, most, **options)
        assert isinstance(error, CorruptObjectError)
        assert f"has {most + 1} new entries; the limit is {most}" in error.message
        assert "limits.moves" in str(error.hint)
        assert not isinstance(self.found(there, most + 1, **options), CorruptObjectError)

    def test_are_read_in_order(self, there: Repository) -> None:
        memory = connect(Remote(name="origin", url=f"memory://{hash_bytes(str(there.path).encode())}"))
        for key in there.store.list("refs"):
            memory.store.create(key, there.store.read(key))
        found = newest_heads(memory, Tracking(url=""), ["a"], {"a": 12}, strict=True)["a"]
        log = [state.commit for state in there.refs.log("a")]
        assert found.moves == tuple(log[:-1])  # type: ignore[union-attr]
        assert all(one == other for one, other in pairwise(log[1:]))


def test_removing_the_whole_remote_is_told(scene: SignedScene) -> None:
    shutil.rmtree(scene.origin.url)
    with pytest.raises(NotFoundError, match="is gone"):
        fetch(scene.bob, scene.context)
