"""What fsck makes of files under refs/ that somebody wrote there: nothing that is missing is excused by them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mu2net_core.objects import Snapshot, object_key
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.remotes.closure import Node
from mu2net_core.testing.building.samples import sample_repository, sample_tombstone
from mu2net_core.testing.worlds.sharing import add_tasks


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Returns a repository with two tasks, and the tag v1 of both."""
    repo = sample_repository(tmp_path / "work")
    add_tasks(repo, "digits", "evil")
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    repo.refs.create_tag("v1", repo.objects.put(Snapshot(heads=heads, roots=repo.refs.roots())))
    return repo


def needed_by_digits(repo: Repository) -> dict[str, Node]:
    head = repo.objects.commit(repo.refs.head("digits").commit)
    return {
        "newest commit": ("commit", repo.refs.head("digits").commit),
        "first commit": ("commit", head.parents[0]),
        "model": ("model", head.model),
        "component": ("component", repo.objects.model(head.model).component("head").id),
        "snapshot": ("snapshot", head.snapshot),
        "task": ("task", head.task_id),
        "root": ("model", next(iter(repo.refs.roots().values()))),
        "tag": ("snapshot", repo.refs.tag("v1")),
    }


ALL = ("newest commit", "first commit", "model", "component", "snapshot", "task", "root", "tag")


def problems(repo: Repository) -> set[str]:
    return {problem.object for problem in fsck(open_repository(repo.worktree)).problems}


@pytest.mark.parametrize("claimed_by", ["evil", "digits"])
@pytest.mark.parametrize("what", ALL)
def test_what_is_alive_is_missed_whoever_lists_it(repo: Repository, what: str, claimed_by: str) -> None:
    """Of its own task, too: its purge would have moved the head."""
    node = needed_by_digits(repo)[what]
    repo.refs.create_tombstone(sample_tombstone(claimed_by, 0, objects=["/".join(node)]))
    assert problems(repo) == set()
    repo.store.delete(object_key(*node))
    assert "/".join(node) in problems(repo)


def test_what_only_a_tag_names_may_be_gone_if_its_own_task_was_purged(repo: Repository) -> None:
    gone = "ab" * 32
    repo.refs.create_tag("v2", repo.objects.put(Snapshot(heads={"digits": gone}, roots={})))
    assert problems(repo) == {f"commit/{gone}"}
    repo.refs.create_tombstone(sample_tombstone("evil", 0, objects=[f"commit/{gone}"]))
    assert problems(repo) == {f"commit/{gone}"}
    repo.refs.create_tombstone(sample_tombstone("digits", 0, objects=[f"commit/{gone}"]))
    assert problems(repo) == set()


def test_listings_of_what_is_alive_are_named_and_all_others_are_not(repo: Repository) -> None:
    model, component = needed_by_digits(repo)["model"], needed_by_digits(repo)["component"]
    listed = ["/".join(node) for node in (model, component)] + [f"commit/{'ab' * 32}"]
    repo.refs.create_tombstone(sample_tombstone("evil", 0, objects=listed))
    repo.refs.create_tombstone(sample_tombstone("evil", 0, objects=[f"commit/{'cd' * 32}"]))
    (warning,) = fsck(open_repository(repo.worktree)).warnings
    assert (warning.kind, warning.object) == ("forged", "refs/purged/evil/00000001")
    assert warning.message.startswith("It says that 2 objects went with evil which others need (")
    assert warning.message.endswith("they are sent, kept and missed as ever. Leave the file; ask who may write here.")


def test_those_of_another_repository_excuse_nothing_and_can_be_deleted(repo: Repository) -> None:
    node = needed_by_digits(repo)["first commit"]
    stone = sample_tombstone("digits", 9, objects=["/".join(node)], identity="ab" * 16)
    key = repo.refs.create_tombstone(stone)
    (warning,) = fsck(open_repository(repo.worktree)).warnings
    assert (warning.kind, warning.object) == ("foreign", key)
    assert warning.message.endswith(f"whose identity is {'ab' * 16}, and counts for nothing. Delete it.")
    repo.store.delete(key)
    assert fsck(open_repository(repo.worktree)).warnings == ()


@pytest.mark.parametrize("data", [None, b"", b"{"], ids=["that names a commit", "empty", "damaged"])
def test_the_way_out_of_a_stray_entry_is_right(repo: Repository, data: bytes | None) -> None:
    """Nobody has the 99,999,996 entries before it."""
    folder = repo.path / "refs/heads/digits"
    stray = folder / "99999999"
    stray.write_bytes((folder / "00000001").read_bytes() if data is None else data)
    found = [problem.message for problem in fsck(open_repository(repo.worktree)).problems]
    ways = {match[0] for text in found for match in re.finditer(r"delete (\S+): then the head .* again", text)}
    assert ways == {f"delete {stray}: then the head of digits is at its entry 2 again"}
    stray.unlink()
    assert problems(repo) == set()
    assert open_repository(repo.worktree).refs.head("digits").number == 2
