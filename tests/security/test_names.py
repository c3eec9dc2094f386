"""What arrives never takes the place of something else that is called so here."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import tag
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.objects import Snapshot
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.history.revisions import resolve
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.worlds.sharing import broken, outcomes

LONG = "/".join(["a" * 100] * 3)


@pytest.fixture
def shared(tmp_path: Path) -> Repository:
    repo = sample_repository(tmp_path / "shared", bare=True)
    add_sample_task(repo, "digits")
    evolve_sample(repo, "digits", score=0.5)
    return repo


@pytest.fixture
def bob(shared: Repository, context: Context, tmp_path: Path) -> Repository:
    """Returns a clone that has a tag of its own; since it was made, a task was added on the remote."""
    repo = open_repository(clone(str(shared.path), tmp_path / "bob", context).path)
    tag.create(repo, context, "v1")
    add_sample_task(shared, "later")
    return repo


def test_a_task_that_is_called_as_a_tag_here_stays_out_until_the_tag_is_gone(
    bob: Repository, evil: Writer, context: Context
) -> None:
    evil.move("v1", evil.first("v1"))
    before = resolve(bob, "v1")
    for _ in range(2):
        pulled = pull(bob, context)
        assert list(broken(pulled)) == ["task v1"]
        assert (outcomes(pulled)["later"] in {"new", "up-to-date"}, resolve(bob, "v1")) == (True, before)
    assert broken(pulled)["task v1"].endswith("To let the task in: mu2net tag --delete v1")
    tag.delete(bob, "v1")
    assert outcomes(pull(bob, context))["v1"] == "new"


def test_a_task_that_is_called_as_a_root_here_stays_out(bob: Repository, evil: Writer, context: Context) -> None:
    evil.move("tiny", evil.first("tiny"))
    assert list(broken(pull(bob, context))) == ["task tiny"]
    assert resolve(bob, "tiny").kind == "model"


@pytest.mark.parametrize("kind", ["tag", "root"])
def test_a_tag_or_root_that_is_called_as_a_task_stays_out(
    bob: Repository, evil: Writer, context: Context, tmp_path: Path, kind: str
) -> None:
    if kind == "tag":
        heads = {"digits": evil.head("digits").commit}
        evil.refs.create_tag("digits", evil.put(Snapshot(heads=heads, roots={})))
    else:
        evil.refs.create_root("digits", evil.refs.roots()["tiny"])
    for _ in range(2):
        found = broken(pull(bob, context))
        assert list(found) == [f"{kind} digits"]
        assert "A task is called digits, too, and the name would mean both." in found[f"{kind} digits"]
    assert resolve(bob, "digits").kind == "commit"
    made = clone(str(evil.store.url), tmp_path / "new", context)
    assert list(broken(made)) == [f"{kind} digits"]
    assert resolve(open_repository(made.path), "digits").kind == "commit"


def test_a_root_that_is_called_as_a_tag_here_stays_out(bob: Repository, evil: Writer, context: Context) -> None:
    evil.refs.create_root("v1", evil.refs.roots()["tiny"])
    assert list(broken(pull(bob, context))) == ["root v1"]
    assert resolve(bob, "v1").kind == "snapshot"


def test_the_longest_names_arrive_as_any_other(bob: Repository, evil: Writer, context: Context) -> None:
    evil.move(LONG, evil.first(LONG))
    evil.refs.create_tag(LONG + "/tag", evil.put(Snapshot(heads={LONG: evil.head(LONG).commit}, roots={})))
    pulled = pull(bob, context)
    assert pulled.is_whole
    assert outcomes(pulled)[LONG] == "new"
    assert LONG + "/tag" in bob.refs.tags()
