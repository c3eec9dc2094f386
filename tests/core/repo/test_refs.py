from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mu2net_core.errors import AlreadyExistsError, ConflictError, CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.repo import Refs, Repository
from mu2net_core.storage import LocalStore
from mu2net_core.testing.servers.wrappers import FaultyStore, WrappedStore

A, B = "a" * 64, "b" * 64


def _oid(number: int) -> str:
    return f"{number:064x}"


def _grow(refs: Refs, task: str, moves: int) -> None:
    state = refs.head(task)
    for number in range(moves):
        state = refs.append(task, _oid(number), after=state)


def test_a_head_is_its_newest_entry(repo: Repository) -> None:
    assert repo.refs.head("a/b") is None
    first = repo.refs.append("a/b", A, after=None)
    second = repo.refs.append("a/b", B, after=first)
    assert (first.number, second.number, second.commit) == (1, 2, B)
    assert repo.refs.head("a/b") == Refs(repo.store).head("a/b") == second
    assert repo.refs.log("a/b") == (first, second)
    assert repo.refs.heads() == {"a/b": second}


def test_tasks_may_share_the_beginning_of_their_names(repo: Repository) -> None:
    for task in ("a", "a/b", "a/b/c", "b"):
        repo.refs.append(task, A, after=None)
    assert repo.refs.tasks() == ("a", "a/b", "a/b/c", "b")
    assert {state.number for state in repo.refs.heads().values()} == {1}


@pytest.mark.parametrize("moves", [1, 2, 3, 7, 8, 9, 40])
def test_the_newest_entry_is_found_without_listing_in_few_probes(tmp_path: Path, moves: int) -> None:
    _grow(Refs(LocalStore(tmp_path)), "a", moves)
    store = WrappedStore(LocalStore(tmp_path))
    head = Refs(store).head("a")
    assert head is not None
    assert head.number == moves
    assert store.calls["list"] == 0
    assert sum(store.calls.values()) <= 3 + 2 * moves.bit_length()


def test_a_known_number_costs_one_probe_and_one_read(tmp_path: Path) -> None:
    _grow(Refs(LocalStore(tmp_path)), "a", 30)
    store = WrappedStore(LocalStore(tmp_path))
    Refs(store).head("a", known=30)
    assert store.calls == {"exists": 1, "read": 1}


def test_somebody_elses_move_is_a_conflict_and_stays(repo: Repository) -> None:
    first = repo.refs.append("a", A, after=None)
    theirs = Refs(repo.store).append("a", B, after=first)
    with pytest.raises(ConflictError, match=r"head of a moved meanwhile.*refs/heads/a/00000002"):
        repo.refs.append("a", _oid(3), after=first)
    assert repo.refs.head("a") == theirs
    with pytest.raises(ConflictError, match="00000001"):
        repo.refs.append("a", B, after=None)


def test_a_move_whose_reply_was_lost_can_be_repeated(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(Exception, match="Fault after create"):
        Refs(FaultyStore(store, at=1, when="after")).append("a", A, after=None)
    assert Refs(store).append("a", A, after=None).number == 1
    assert len(Refs(store).log("a")) == 1


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (b'{"commit":"aaaa', "cut off"),
        (b'{"commit":"aa","format":1,"previous":null}', "cut off"),
    ],
    ids=["empty", "truncated", "short id"],
)
def test_a_damaged_entry_names_the_file_and_fsck(repo: Repository, data: bytes, found: str) -> None:
    _grow(repo.refs, "a/b", 3)
    (repo.path / "refs/heads/a/b/00000003").write_bytes(data)
    for read in (repo.refs.head, repo.refs.log):
        with pytest.raises(CorruptObjectError, match=f"refs/heads/a/b/00000003 .*is {found}") as caught:
            read("a/b")
        assert "mu2net fsck" in str(caught.value)


def test_an_entry_of_a_future_format_is_refused_as_such(repo: Repository) -> None:
    _grow(repo.refs, "a", 1)
    (repo.path / "refs/heads/a/00000002").write_bytes(b'{"format":2,"moves":[]}')
    with pytest.raises(InvalidInputError, match="a future format"):
        repo.refs.head("a")


def test_an_exchanged_entry_breaks_the_chain(repo: Repository) -> None:
    _grow(repo.refs, "a", 3)
    other = Refs(LocalStore(repo.path / "other"))
    other.append("a", B, after=None)
    (repo.path / "refs/heads/a/00000001").write_bytes(other.store.read("refs/heads/a/00000001"))
    with pytest.raises(CorruptObjectError, match="00000002 does not follow"):
        repo.refs.log("a")


def test_tags_and_roots_are_created_once(repo: Repository) -> None:
    repo.refs.create_tag("v1", A)
    repo.refs.create_tag("v1", A)
    with pytest.raises(AlreadyExistsError, match="Cannot create tag v1"):
        repo.refs.create_tag("v1", B)
    assert repo.refs.tag("v1") == A
    assert repo.refs.tags() == {"v1": A}
    with pytest.raises(NotFoundError, match="v2"):
        repo.refs.tag("v2")
    with pytest.raises(AlreadyExistsError, match="Cannot create root tiny"):
        repo.refs.create_root("tiny", B)


def test_a_tag_cannot_lie_below_another(repo: Repository) -> None:
    repo.refs.create_tag("v1", A)
    with pytest.raises(AlreadyExistsError, match=r"v1/a.*or below it"):
        repo.refs.create_tag("v1/a", A)


@pytest.mark.parametrize("data", [b"", b"abc\n", A.encode(), (A + "\n\n").encode()])
def test_a_damaged_tag_names_the_file(repo: Repository, data: bytes) -> None:
    repo.refs.create_tag("v1", A)
    (repo.path / "refs/tags/v1").write_bytes(data)
    with pytest.raises(CorruptObjectError, match="refs/tags/v1"):
        repo.refs.tag("v1")


@pytest.mark.parametrize("name", ["", "A", "../x", "a//b", "00000001", "a/00000001", "con", "a."])
def test_unsafe_names_are_refused(repo: Repository, name: str) -> None:
    with pytest.raises(InvalidInputError, match="Not a task name"):
        repo.refs.append(name, A, after=None)
    with pytest.raises(InvalidInputError, match="Not a task name"):
        repo.refs.head(name)


_WRITERS, _MOVES = 8, 25

# Moves a head 25 times and prints the commits whose move was acknowledged.
_WRITE = """
import sys
from pathlib import Path
from mu2net_core.errors import ConflictError
from mu2net_core.repo import Refs
from mu2net_core.storage import LocalStore

folder, task, writer, moves = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
refs = Refs(LocalStore(folder))
for move in range(moves):
    commit = f"{1000 * (writer + 1) + move:064x}"
    while True:
        try:
            refs.append(task, commit, after=refs.head(task))
        except ConflictError:
            continue
        print(commit)
        break
"""


@pytest.mark.parametrize("shared", [True, False], ids=["one head", "a head each"])
def test_many_writers_lose_and_repeat_nothing(tmp_path: Path, shared: bool) -> None:
    tasks = ["shared" if shared else f"task-{writer}" for writer in range(_WRITERS)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, str(tmp_path), task, str(writer), str(_MOVES)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for writer, task in enumerate(tasks)
    ]
    acknowledged = [line for writer in writers for line in writer.communicate(timeout=240)[0].split()]
    assert [writer.returncode for writer in writers] == [0] * _WRITERS
    refs = Refs(LocalStore(tmp_path))
    logged = [state.commit for task in refs.tasks() for state in refs.log(task)]
    assert len(acknowledged) == _WRITERS * _MOVES
    assert sorted(logged) == sorted(acknowledged)
    assert len(refs.tasks()) == (1 if shared else _WRITERS)
    assert not list(tmp_path.rglob(".tmp-*"))
