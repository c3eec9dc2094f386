from __future__ import annotations

import pytest

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Snapshot
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.history.revisions import Resolved, check_new_name, resolve
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def moves(repo: Repository) -> list[HeadState]:
    """Returns the four moves of the head of cmaterdb/bangla."""
    first = add_sample_task(repo, "cmaterdb/bangla")
    return [first, *(evolve_sample(repo, "cmaterdb/bangla", score=score) for score in (0.1, 0.2, 0.3))]


def _commit(state: HeadState) -> Resolved:
    return Resolved(kind="commit", id=state.commit, task=state.task)


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("cmaterdb/bangla", 3),
        ("cmaterdb/bangla@{0}", 3),
        ("cmaterdb/bangla@{3}", 0),
        ("cmaterdb/bangla~0", 3),
        ("cmaterdb/bangla~", 2),
        ("cmaterdb/bangla~2", 1),
        ("cmaterdb/bangla~1~2", 0),
        ("cmaterdb/bangla@{1}~1", 1),
    ],
)
def test_places_in_a_history(repo: Repository, moves: list[HeadState], text: str, move: int) -> None:
    assert resolve(repo, text) == _commit(moves[move])


def test_ids_of_every_kind(repo: Repository, moves: list[HeadState]) -> None:
    assert resolve(repo, moves[2].commit) == resolve(repo, moves[2].commit[:12]) == _commit(moves[2])
    commit = repo.objects.commit(moves[2].commit)
    assert commit.model is not None
    assert resolve(repo, commit.model[:12]) == Resolved(kind="model", id=commit.model, task="cmaterdb/bangla")
    assert resolve(repo, commit.task_id).kind == "task"
    component = repo.objects.model(commit.model).components[0].id
    assert resolve(repo, component[:12]) == Resolved(kind="component", id=component)


def test_tags_and_roots(repo: Repository, moves: list[HeadState]) -> None:
    snapshot = repo.objects.put(Snapshot(heads={"cmaterdb/bangla": moves[1].commit}, roots={}))
    repo.refs.create_tag("v1", snapshot)
    assert resolve(repo, "v1") == Resolved(kind="snapshot", id=snapshot)
    assert resolve(repo, "tiny") == Resolved(kind="model", id=repo.refs.roots()["tiny"])


def test_a_task_may_be_called_like_an_id(repo: Repository) -> None:
    head = add_sample_task(repo, "cafe")
    assert resolve(repo, "cafe") == _commit(head)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cmaterdb/bengla", r"Did you mean cmaterdb/bangla\?"),
        ("bangla", r"Did you mean cmaterdb/bangla\?"),
        ("qqq", "See `mu2net tasks`"),
        ("", "Nothing is called ''"),
        ("Bad Name!", "Nothing is called"),
        ("bangla@{1}", r"no task 'bangla'\.\nDid you mean cmaterdb/bangla\?"),
        ("cmaterdb/bangla@{4}", r"moved 4 times"),
        ("cmaterdb/bangla~9", r"ends 3 commits back"),
        ("tiny~1", "A model has no parents"),
        ("0000000", "starts with '0000000'"),
    ],
)
def test_what_is_not_there_says_what_is_near(repo: Repository, moves: list[HeadState], text: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        resolve(repo, text)


def test_impossible_task_names_in_a_history(repo: Repository) -> None:
    with pytest.raises(InvalidInputError, match="Not a task name"):
        resolve(repo, "A B@{1}")


class TestNamesThatOthersChose:
    """Whoever writes to a remote chooses names: none takes the place of something else."""

    @pytest.mark.parametrize("digits", [4, 9, 12, 63])  # eight digits number entries: no name
    @pytest.mark.parametrize("kind", ["task", "tag", "root"])
    def test_a_name_like_an_id_does_not_stand_for_the_object(self, repo: Repository, kind: str, digits: int) -> None:
        oid = add_sample_task(repo, "digits").commit
        name = oid[:digits]
        other = self.call_so(repo, kind, name)
        with pytest.raises(InvalidInputError, match=f"is a {kind}, and the beginning of the id of the commit {oid}"):
            resolve(repo, name)
        assert resolve(repo, oid).id == oid
        assert resolve(repo, f"{kind}:{name}").id == other
        assert resolve(repo, "digits").id == oid

    @pytest.mark.parametrize("kind", ["task", "tag", "root"])
    def test_a_whole_id_means_the_object(self, repo: Repository, kind: str) -> None:
        oid = add_sample_task(repo, "digits").commit
        other = self.call_so(repo, kind, oid)
        assert resolve(repo, oid) == Resolved(kind="commit", id=oid, task="digits")
        assert resolve(repo, f"{kind}:{oid}").id == other

    @pytest.mark.parametrize("kind", ["tag", "root"])
    def test_a_name_of_two_kinds_is_not_guessed_at(self, repo: Repository, kind: str) -> None:
        head = add_sample_task(repo, "digits")
        other = self.call_so(repo, kind, "digits")
        for text in ("digits", "digits~0"):
            with pytest.raises(InvalidInputError, match=f"Say which: task:digits or {kind}:digits"):
                resolve(repo, text)
        assert resolve(repo, "task:digits~0") == resolve(repo, "task:digits@{0}") == _commit(head)
        assert resolve(repo, f"{kind}:digits").id == other
        assert resolve(repo, "digits@{0}") == _commit(head)

    @pytest.mark.parametrize("text", ["branch:digits", "task:v1", "task:", "id:digits", ":digits"])
    def test_what_is_no_kind_names_nothing(self, repo: Repository, text: str) -> None:
        add_sample_task(repo, "digits")
        with pytest.raises(NotFoundError, match="Nothing is called"):
            resolve(repo, text)

    @pytest.mark.parametrize("what", ["task", "tag", "root"])
    def test_no_new_name_means_something_else(self, repo: Repository, what: str) -> None:
        for kind in ("task", "tag", "root"):
            self.call_so(repo, kind, f"a-{kind}")
            if kind != what:
                with pytest.raises(InvalidInputError, match=f"a {kind} has that name"):
                    check_new_name(repo, f"a-{kind}", what)
        for name in ("deadbeef", "0" * 63 + "a", "12345678a"):
            with pytest.raises(InvalidInputError, match="looks like the beginning of an id"):
                check_new_name(repo, name, what)
        for name in ("cafe", "deadbee", "deadbeef/x", "deadbeefs"):
            assert check_new_name(repo, name, what) == name

    @staticmethod
    def call_so(repo: Repository, kind: str, name: str) -> str:
        """Makes something of a name as a fetch does, and returns its id."""
        if kind == "task":
            return add_sample_task(repo, name).commit
        if kind == "root":
            model = repo.refs.roots()["tiny"]
            repo.refs.create_root(name, model)
            return model
        snapshot = repo.objects.put(Snapshot(heads={}, roots={}))
        repo.refs.create_tag(name, snapshot)
        return snapshot
