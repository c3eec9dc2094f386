"""One bad file on a remote blocks its own name, which is said; everything else goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.status import status
from mu2net_core.api.sharing import pull as api
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.push import push
from mu2net_core.objects import Snapshot, encode
from mu2net_core.repo import Remote, Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.core import refs
from mu2net_core.repo.core.ref_files import entry_key
from mu2net_core.repo.exchange import fetching
from mu2net_core.repo.remotes.remotes import RemoteRepository
from mu2net_core.repo.remotes.reports import RemoteBehindError
from mu2net_core.repo.remotes.tracking import forget_tracking, read_purged
from mu2net_core.storage import open_store
from mu2net_core.testing.attacks.newer import newer_task
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import evolve_sample, sample_tombstone
from mu2net_core.testing.servers.wrappers import WrappedStore
from mu2net_core.testing.worlds.sharing import add_tasks, broken, commit_of, model_of, outcomes, working_copy

NOTHING = "ab" * 32
LONG = "/".join(["a" * 100] * 3)
FOREIGN = "77" * 16


@pytest.fixture
def ann(tmp_path: Path, origin: Remote, context: Context) -> Repository:
    """Returns a working copy that pushed three tasks and a tag."""
    repo = working_copy(tmp_path / "ann", origin)
    add_tasks(repo, "digits", "letters", "yyy")
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    push(repo, context)
    return open_repository(repo.worktree)


@pytest.fixture
def bob(tmp_path: Path, ann: Repository, origin: Remote, context: Context) -> Repository:
    """Returns a clone; since it was made, ann went on with the task digits."""
    made = clone(origin.url, tmp_path / "bob", context, options=origin.options)
    evolve_sample(ann, "digits", score=0.6, seed=60)
    push(ann, context)
    return open_repository(made.path)


def chain(evil: Writer, length: int) -> str:
    """Stores so many snapshots, each on top of another; returns the last one."""
    base = None
    for number in range(length):
        heads = {f"t{number}": evil.head("digits").commit}
        base = evil.put(Snapshot(heads=heads, roots={}, base=base))
    assert base is not None
    return base


def foreign(evil: Writer) -> str:
    first = evil.put(evil.first("zzz", identity=FOREIGN))
    return evil.put(replace(evil.first("zzz", identity=None), parents=(first,)))


def newer(evil: Writer, change: dict[str, object]) -> str:
    """Stores a commit whose task object is none that this version reads; returns it."""
    task_id = evil.objects.put_bytes("task", newer_task("zzz", change))
    return evil.put(replace(evil.first("zzz"), task_id=task_id))


def across(evil: Writer) -> str:
    parents = tuple(sorted(evil.head(task).commit for task in ("digits", "letters")))
    return evil.put(replace(evil.next("digits"), task="zzz", task_id=evil.first("zzz").task_id, parents=parents))


def head(make: Callable[[Writer], str], task: str = "zzz") -> Callable[[Writer], str]:
    """Returns an attack: a head that names what ``make`` returns."""

    def attack(evil: Writer) -> str:
        evil.move(task, make(evil))
        return f"task {task}"

    return attack


def entry(data: bytes, number: int = 1) -> Callable[[Writer], str]:
    """Returns an attack: a file in the place of a head's entry."""

    def attack(evil: Writer) -> str:
        if number > 1:
            evil.move("zzz", evil.first("zzz"))
        evil.write(entry_key("zzz", number), data or evil.store.read(entry_key("zzz", 1)))
        return "task zzz"

    return attack


def named(kind: str, make: Callable[[Writer], bytes | str]) -> Callable[[Writer], str]:
    """Returns an attack: a root or tag whose file holds what ``make`` returns."""

    def attack(evil: Writer) -> str:
        made = make(evil)
        evil.write(f"refs/{kind}s/evil", made if isinstance(made, bytes) else f"{made}\n".encode())
        return f"{kind} evil"

    return attack


def stone(data: bytes) -> Callable[[Writer], str]:
    """Returns an attack: a file in the place of a tombstone, told of by a new epoch."""

    def attack(evil: Writer) -> str:
        evil.write("refs/purged/yyy/00000001", data)
        evil.begin_epoch()
        return "task yyy"

    return attack


def link(evil: Writer) -> str:
    file = evil.store.local_path(entry_key("zzz", 1))
    assert file is not None
    file.parent.mkdir()
    file.symlink_to("../digits/00000001")
    return "task zzz"


def tag_of(**values: object) -> Callable[[Writer], str]:
    """Returns what makes a snapshot with such values."""

    def make(evil: Writer) -> str:
        plain = Snapshot(heads={"digits": evil.head("digits").commit}, roots={})
        return evil.put(replace(plain, **values))

    return make


def model_id(evil: Writer) -> str:
    return evil.objects.commit(evil.head("digits").commit).model or ""


ATTACKS: dict[str, Callable[[Writer], str]] = {
    "head naming nothing": head(lambda _: NOTHING),
    "head naming another kind": head(model_id),
    "head naming another task's commit": head(lambda evil: evil.head("digits").commit),
    "head damaged": entry(b"{nonsense"),
    "head empty": entry(b"\n"),
    "head too large": entry(b"x" * 70_000),
    "head of a future format": entry(b'{"format":99}'),
    "head with a gap": entry(b"", number=3),
    "head with a far entry": entry(b"", number=99_999_999),
    "head that is a link": link,
    "head on a long chain of snapshots": head(
        lambda evil: evil.put(replace(evil.first("zzz"), snapshot=chain(evil, 65)))
    ),
    "head of another repository": head(foreign),
    "head of no repository": head(lambda evil: evil.put(evil.first("zzz", identity=None))),
    "head that joins two tasks": head(across),
    "head with a long name": head(lambda _: NOTHING, task=LONG),
    "head known before, naming nothing": head(lambda _: NOTHING, task="yyy"),
    "head with a task of a future format": head(lambda evil: newer(evil, {"format": 99})),
    "head with an object of an unknown kind": head(lambda evil: newer(evil, {"kind": "recipe"})),
    "head with a task that only a later version reads": head(lambda evil: newer(evil, {"splits": 5, "needs": "9.1"})),
    "root naming nothing": named("root", lambda _: NOTHING),
    "root naming another kind": named("root", lambda evil: evil.head("digits").commit),
    "root naming a task's model": named("root", model_id),
    "root damaged": named("root", lambda _: b"nonsense"),
    "root too large": named("root", lambda _: b"x" * 70_000),
    "tag naming nothing": named("tag", lambda _: NOTHING),
    "tag naming another kind": named("tag", model_id),
    "tag damaged": named("tag", lambda _: b"nonsense"),
    "tag too large": named("tag", lambda _: b"x" * 70_000),
    "tag made for another": named("tag", tag_of(tag="v1")),
    "tag of another repository": named("tag", tag_of(identity=FOREIGN)),
    "tag on a long chain": named("tag", lambda evil: chain(evil, 65)),
    "tag naming another task's commit": named(
        "tag", lambda evil: tag_of(heads={"letters": evil.head("digits").commit})(evil)
    ),
    "tombstone damaged": stone(b"{nonsense"),
    "tombstone too large": stone(b"x" * 70_000),
    "tombstone of another task": stone(encode(sample_tombstone("zzz", 1))),
}


@pytest.fixture(params=ATTACKS)
def attacked(request: pytest.FixtureRequest, bob: Repository, origin: Remote) -> str:
    """Lets somebody write one bad file to the remote; returns what is broken by that."""
    return ATTACKS[request.param](Writer.into(origin))


def test_everything_else_arrives_is_sent_and_is_cloned_and_the_name_is_said_each_time(
    attacked: str, ann: Repository, bob: Repository, origin: Remote, context: Context, tmp_path: Path
) -> None:
    shutil.copytree(bob.worktree, tmp_path / "carl")
    carl = open_repository(tmp_path / "carl")
    for _ in range(2):
        fetched = fetch(bob, context)
        assert list(broken(fetched)) == [attacked]
        assert not fetched.is_whole
    assert outcomes(merge(bob, context))["digits"] == "updated"
    assert commit_of(bob, "digits") == commit_of(ann, "digits")
    assert {task.task for task in status(bob, context).tasks} == {"digits", "letters", "yyy"}
    evolve_sample(bob, "letters", score=0.7, seed=70)
    assert outcomes(push(bob, context))["letters"] == "updated"
    assert Writer.into(origin).head("letters").commit == commit_of(bob, "letters")
    assert outcomes(api.pull(carl, context, None, ["digits"]))["digits"] == "updated"
    for _ in range(2):
        assert list(broken(api.pull(carl, context))) == [attacked]
    assert commit_of(carl, "letters") == commit_of(bob, "letters")
    assert all(fsck(repo).problems == () for repo in (bob, carl))
    for full in (False, True):
        made = clone(origin.url, tmp_path / f"new{full}", context, full)
        assert (list(broken(made)), made.is_whole) == ([attacked], False)
        new = open_repository(made.path)
        assert {task: commit_of(new, task) for task in ("digits", "letters")} == {
            task: commit_of(bob, task) for task in ("digits", "letters")
        }
        assert ("v1" in new.refs.tags(), "tiny" in new.refs.roots()) == (True, True)
        assert new.objects.has("component", new.objects.model(model_of(new, "digits")).components[0].id) == full
        assert list(broken(api.pull(new, context))) == [attacked]
        assert fsck(new).problems == ()


@pytest.mark.parametrize("medium", ["folder", "bucket"])
def test_all_at_once_block_only_their_names(
    medium: str, bob: Repository, origin: Remote, tmp_path: Path, context: Context
) -> None:
    evil, names = Writer.into(origin), set[str]()
    for number, oid in enumerate((NOTHING, evil.head("letters").commit, foreign(evil), across(evil))):
        evil.move(f"zzz{number}", oid)
        names.add(f"task zzz{number}")
    evil.write("refs/roots/bad", b"nonsense")
    evil.write("refs/tags/bad", b"x" * 70_000)
    names |= {"root bad", "tag bad", stone(b"{nonsense")(evil)}
    if medium == "bucket":
        evil.write("refs/roots/tiny/two", evil.store.read("refs/roots/tiny"))
        names.add("root tiny/two")
    pulled = api.pull(bob, context)
    assert set(broken(pulled)) == names
    assert outcomes(pulled)["digits"] == "updated"
    made = clone(origin.url, tmp_path / "new", context, options=origin.options)
    assert set(broken(made)) == names
    assert {"digits", "letters"} <= set(open_repository(made.path).refs.tasks())


def test_a_damaged_component_keeps_its_task_out_of_a_full_clone_and_nothing_else(
    ann: Repository, bob: Repository, origin: Remote, context: Context, tmp_path: Path
) -> None:
    used = {ref.id for task in ("letters", "yyy") for ref in ann.objects.model(model_of(ann, task)).components}
    (own,) = {ref.id for ref in ann.objects.model(model_of(ann, "digits")).components} - used
    evil = Writer.into(origin)
    evil.write(f"objects/component/{own[:2]}/{own[2:]}.zarr.zip", b"nonsense")
    made = clone(origin.url, tmp_path / "new", context, full=True)
    assert list(broken(made)) == ["task digits"]
    assert f"component {own}" in broken(made)["task digits"]
    assert open_repository(made.path).refs.tasks() == ("letters", "yyy")
    found = broken(api.pull(bob, context, None, ["digits"]))
    assert f"component {own}" in found["task digits"]


def test_a_root_that_is_another_model_there_stays_what_it_is_here(
    bob: Repository, origin: Remote, context: Context
) -> None:
    evil = Writer.into(origin)
    other = evil.put(replace(evil.objects.model(evil.refs.roots()["tiny"]), seed=99))
    evil.write("refs/roots/tiny", f"{other}\n".encode())
    before = dict(bob.refs.roots())
    forget_tracking(bob.state, "origin")
    pulled = api.pull(bob, context)
    assert [(root.name, root.outcome) for root in pulled.roots] == [("tiny", "conflict")]
    assert outcomes(pulled)["digits"] == "updated"
    assert dict(bob.refs.roots()) == before


def test_a_head_that_names_a_commit_only_you_have_is_said_and_a_push_sends_it(
    ann: Repository, bob: Repository, origin: Remote, context: Context
) -> None:
    evolve_sample(bob, "letters", score=0.8, seed=80)
    mine = commit_of(bob, "letters")
    Writer.into(origin).move("letters", mine)
    for _ in range(2):
        with pytest.raises(RemoteBehindError, match=r"1 commit.* gone there") as info:
            fetch(bob, context)
        assert "mu2net push origin" in str(info.value.hint)
        assert outcomes(info.value.done)["digits"] in {"updated", "up-to-date"}
    found = broken(api.pull(ann, context))
    assert f"commit {mine} is missing" in found["task letters"]
    push(bob, context)
    assert outcomes(api.pull(ann, context))["letters"] == "updated"
    assert commit_of(ann, "letters") == mine
    assert fetch(bob, context).is_whole


def test_a_head_that_names_a_commit_you_left_behind_is_said_and_not_taken_over(
    bob: Repository, origin: Remote, context: Context
) -> None:
    evil = Writer.into(origin)
    left = bob.objects.put(replace(evil.next("letters"), message="never published"))
    evil.move("letters", left)
    before = commit_of(bob, "letters")
    for _ in range(2):
        pulled = api.pull(bob, context)
        reason = broken(pulled)["task letters"]
        assert f"names the commit {left[:16]}, which is not there, and is here" in reason
        assert "`mu2net fsck --remote origin --repair-from .` sends it" in reason
    assert commit_of(bob, "letters") == before


def test_an_entry_that_is_gone_there_does_not_keep_the_rest_from_coming(
    ann: Repository, bob: Repository, origin: Remote, context: Context
) -> None:
    Writer.into(origin).store.delete(entry_key("yyy", 1))
    for _ in range(2):
        with pytest.raises(RemoteBehindError, match="entry 1 of yyy is gone there") as info:
            api.pull(bob, context)
        assert "digits" in outcomes(info.value.done)
    assert commit_of(bob, "digits") == commit_of(ann, "digits")


def test_tombstones_of_tasks_that_nobody_has_are_not_even_read(
    bob: Repository, origin: Remote, context: Context
) -> None:
    evil = Writer.into(origin)
    for number in range(50):
        evil.refs.create_tombstone(sample_tombstone(f"made-up-{number}", 1, roots=[NOTHING]))
    evil.begin_epoch()
    store = WrappedStore(open_store(origin.url))
    assert fetching.fetch(bob, RemoteRepository(origin, store), clock=context.now).is_whole
    assert not [key for method, key in store.log if method == "read" and key.startswith("refs/purged/")]
    assert read_purged(bob.state, origin) == ()


def test_more_tombstones_of_a_task_than_any_purge_makes_block_that_task(
    bob: Repository, origin: Remote, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refs, "MOST_STONES", 3)
    evil = Writer.into(origin)
    for number in range(4):
        evil.refs.create_tombstone(sample_tombstone("yyy", 1, roots=[f"{number:064x}"]))
    evil.begin_epoch()
    for _ in range(2):
        found = broken(fetch(bob, context))
        assert list(found) == ["task yyy"]
        assert "has more than 3 tombstones of yyy" in found["task yyy"]
