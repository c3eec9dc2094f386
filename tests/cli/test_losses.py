"""What the verbs say of a remote that lost something, and that the commands they name work."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.objects import object_key
from mu2net_core.repo import Repository
from mu2net_core.repo.core.refs import Refs
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository


@pytest.fixture
def ann(run, tmp_path: Path) -> Repository:
    """Returns a working copy that pushed two entries of a head to ``shared``."""
    repo = sample_repository(tmp_path / "ann")
    add_sample_task(repo, "a")
    assert run("-C", repo.worktree, "remote", "add", "origin", "../shared").code == 0
    assert run("-C", repo.worktree, "push").code == 0
    evolve_sample(repo, "a", score=0.5)
    assert run("-C", repo.worktree, "push").code == 0
    return repo


def newest_component(repo: Repository) -> str:
    state = repo.refs.head("a")
    assert state is not None
    model = repo.objects.model(repo.objects.commit(state.commit).model or "")
    return object_key("component", model.components[-1].id)


def hinted(err: str) -> list[str]:
    """Returns the command after ``mu2net`` at the end of a hint."""
    (line,) = [line for line in err.splitlines() if line.startswith("hint: ")]
    return shlex.split(line.rpartition("mu2net ")[2])


def test_all_verbs_tell_the_same_and_a_push_heals(run, ann: Repository, tmp_path: Path) -> None:
    (tmp_path / "shared/refs/heads/a/00000002").unlink()
    here = ["-C", ann.worktree]
    assert "entry 2 of a: sent again if it is here" in run(*here, "push", "--dry-run").out
    fetched = run(*here, "fetch")
    assert fetched.code == 5
    assert "is behind what was seen of it: entry 2 of a is gone there" in fetched.err
    assert "push origin sends again what this copy has" in fetched.err
    status = run(*here, "status").out
    assert "behind what was seen of it, gone there: entry 2 of a" in status
    assert "  # sends again what it lost: entry 2 of a" in next(
        line for line in status.splitlines() if " push origin" in line
    )
    checked = run(*here, "fsck", "--remote", "origin")
    assert checked.code == 1
    assert "Entry 2 of a was there when this working copy last looked, and is gone" in checked.out
    pushed = run(*here, "push")
    assert pushed.code == 0
    assert " * sent again  entry 2 of a\n" in pushed.out
    assert "was it restored from a backup?" in pushed.err
    assert run(*here, "fsck", "--remote", "origin").code == 0
    assert run(*here, "push", "--json").json()["restored"] == []
    assert "up to date" in run(*here, "status").out


def test_what_is_not_here_either_fails_and_the_command_it_names_heals(run, ann: Repository, tmp_path: Path) -> None:
    assert run("clone", tmp_path / "shared", tmp_path / "bob").code == 0
    (tmp_path / "shared" / newest_component(ann)).unlink()
    here = ["-C", tmp_path / "bob"]
    pushed = run(*here, "push")
    assert pushed.code == 5
    assert " ! skipped     a: origin lost what it needs, and it is not here either" in pushed.out
    assert f"error: origin ({tmp_path}/shared) lost 1 component" in pushed.err
    command = hinted(pushed.err)
    assert command[-1] == "FOLDER"
    assert run(*here, *command[:-1], ann.worktree).code == 0
    assert run(*here, "push").code == 0


def test_a_clone_of_what_is_not_whole_says_what_heals_it(run, ann: Repository, tmp_path: Path) -> None:
    (tmp_path / "shared" / newest_component(ann)).unlink()
    cloned = run("clone", "--full", tmp_path / "shared", tmp_path / "bob")
    assert cloned.code == 5
    assert " ! broken      a: " in cloned.out
    assert "is missing on the remote origin" in cloned.out
    assert "fsck --remote origin. A copy that has it whole puts it back: " in cloned.err
    command = cloned.err.rpartition("puts it back: ")[2].split()[1:]
    assert command == ["fsck", "--remote", "origin", "--repair-from", "."]
    assert run("-C", ann.worktree, *command).code == 0
    assert run("-C", tmp_path / "bob", "pull").code == 0


def test_a_clone_of_an_empty_repository_warns(run, ann: Repository, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "shared/refs")
    cloned = run("clone", tmp_path / "shared", tmp_path / "bob")
    assert cloned.code == 0
    assert "is an empty repository; if it was not, mu2net push" in cloned.err
    assert run("-C", ann.worktree, "push").code == 0
    assert "new         a [" in run("clone", tmp_path / "shared", tmp_path / "ben").out


def test_another_repository_at_the_same_place_is_refused_and_can_be_cloned(
    run, ann: Repository, tmp_path: Path
) -> None:
    assert run("-C", ann.worktree, "remote", "set", "origin", "--readers", "team,b").code == 0
    shutil.rmtree(tmp_path / "shared")
    other = sample_repository(tmp_path / "other", identity="b" * 32)
    add_sample_task(other, "z")
    assert run("-C", other.worktree, "remote", "add", "origin", "../shared").code == 0
    assert run("-C", other.worktree, "push").code == 0
    for verb in (["push"], ["fetch"], ["fsck", "--remote", "origin"]):
        refused = run("-C", ann.worktree, *verb)
        assert refused.code == 4
        assert "is another repository: its identity is bbbbbbbb, and here it is 5a5a5a5a" in refused.err
    status = run("-C", ann.worktree, "status").out
    assert "another repository was there when it was last looked at" in status
    assert "fetch origin  # another repository was there: looks again" in status
    (line,) = [line for line in refused.err.splitlines() if line.startswith("hint: ")]
    command = shlex.split(line.split("`")[1].replace("FOLDER", str(tmp_path / "new")))
    assert command[-2:] == ["--readers", "b,team"]
    assert run(*command[1:]).code == 0
    assert (tmp_path / "new/.mu2net/refs/heads/z").is_dir()


def test_a_root_that_is_another_model_there_ends_a_pull_that_did_all_else(run, ann: Repository, tmp_path: Path) -> None:
    assert run("clone", tmp_path / "shared", tmp_path / "bob").code == 0
    evolve_sample(ann, "a", score=0.6)
    assert run("-C", ann.worktree, "push").code == 0
    state = ann.refs.head("a")
    (tmp_path / "shared/refs/roots/tiny").chmod(0o644)
    model = ann.objects.put(replace(ann.objects.model(ann.refs.roots()["tiny"]), seed=9))
    (tmp_path / "shared/refs/roots/tiny").write_text(f"{model}\n")
    shutil.rmtree(tmp_path / "bob/.mu2net/state/remotes")  # as if it was never looked at
    pulled = run("-C", tmp_path / "bob", "pull")
    assert pulled.code == 4
    assert "! conflict    root tiny" in pulled.out
    assert "error: tiny is another root there; ours stays, and all else was done" in pulled.err
    assert state is not None
    assert f"updated     a [{state.commit[:10]}]" in pulled.out


def test_a_broken_name_is_told_by_all_verbs_each_time_with_a_command_that_looks_at_it(
    run, ann: Repository, tmp_path: Path
) -> None:
    Refs(LocalStore(tmp_path / "shared")).append("zzz", "ab" * 32, after=None)
    here = ["-C", ann.worktree]
    for verb in ("fetch", "pull", "pull"):
        told = run(*here, verb)
        assert told.code == 5
        assert " ! broken      zzz: The commit abab" in told.out
        assert "error: 1 name broken on origin, as told above; all else was done" in told.err
    command = shlex.split(told.err.partition("Look at it: ")[2].partition(". A copy")[0])
    assert command[-3:] == ["fsck", "--remote", "origin"]
    looked = run(*command[1:])
    assert looked.code == 1
    assert "refs/heads/zzz/00000001" in looked.out
    failed = run(*here, "pull", "--json")
    assert failed.code == 5
    assert {task["task"]: task["outcome"] for task in failed.json()["tasks"]}["zzz"] == "broken"
    assert run(*here, "push").code == 0
    cloned = run("clone", tmp_path / "shared", tmp_path / "bob")
    assert cloned.code == 5
    command = shlex.split(cloned.err.partition("Look at it: ")[2].partition(". A copy")[0])
    assert "refs/heads/zzz/00000001" in run(*command[1:]).out
    assert "zzz" not in run("-C", tmp_path / "bob", "status").out
