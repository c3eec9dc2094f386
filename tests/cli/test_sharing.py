"""remote, push, clone, fetch, pull, merge, tag."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mu2net_core.objects import AccessRule
from mu2net_core.repo.remotes import tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")


@pytest.fixture
def shared(run, trained_repo: Path) -> list:
    """Returns how to run in a repository that has pushed to ``shared``."""
    here = ["-C", trained_repo]
    assert run(*here, "remote", "add", "origin", "../shared").code == 0
    assert run(*here, "push").code == 0
    return here


def test_remotes_are_added_listed_and_removed(run, empty_repo: Path, tmp_path: Path) -> None:
    here = ["-C", empty_repo]
    assert run(*here, "remote", "add", "team", "../team", "--readers", "b,a").code == 0
    url = str(tmp_path / "team")
    assert run(*here, "remote").rows() == [["team", url, "for a,b", "partial", "safe", ""]]
    assert run(*here, "remote", "list", "--json").json()[0]["readers"] == ["a", "b"]
    again = run(*here, "remote", "add", "team", "../other")
    assert again.code == 4
    assert "There is a remote team already" in again.err
    assert run(*here, "remote", "remove", "team").out == f"Removed remote team: {url}\n"
    assert run(*here, "remote", "remove", "team").code == 3


def test_of_many_tasks_to_which_nothing_happened_only_the_number_is_said(run, tmp_path: Path) -> None:
    repo = sample_repository(tmp_path / "many")
    for number in range(12):
        add_sample_task(repo, f"task-{number}")
    here = ["-C", repo.worktree]
    assert run(*here, "remote", "add", "origin", "../shared").code == 0
    assert " * new         task-7 [" in run(*here, "push").out
    again = run(*here, "push")
    assert "   up-to-date  12 tasks\n" in again.out
    assert "task-7" not in again.out


def test_of_tasks_that_a_push_did_not_look_at_it_says_so(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PAGE", 10)
    repo = sample_repository(tmp_path / "many")
    for name in ("a", "b", "c"):
        add_sample_task(repo, name)
    here = ["-C", repo.worktree]
    run(*here, "remote", "add", "origin", "../shared")
    run(*here, "push")
    run(*here, "push")
    evolve_sample(repo, "a", score=0.9)
    result = run(*here, "push")
    assert "   updated     a [" in result.out
    assert "   unchanged   2 tasks: nothing to send; fetch looks whether it moved there\n" in result.out
    assert "up-to-date" not in result.out
    assert "   up-to-date  b [" in run(*here, "push").out


def test_push_says_what_went_and_what_stayed(run, trained_repo: Path) -> None:
    here = ["-C", trained_repo]
    run(*here, "remote", "add", "origin", "../shared")
    result = run(*here, "push")
    assert result.code == 0
    assert " * new         digits [" in result.out
    assert " ! skipped     digits/parity" in result.out
    assert "objects" in result.err
    again = run(*here, "push", "origin", "digits", "--json").json()
    assert [(task["task"], task["outcome"]) for task in again["tasks"]] == [("digits", "up-to-date")]


def test_a_dry_run_says_what_would_go_and_sends_nothing(run, trained_repo: Path, tmp_path: Path) -> None:
    here = ["-C", trained_repo]
    run(*here, "remote", "add", "origin", "../shared")
    result = run(*here, "push", "--dry-run")
    assert result.code == 0
    assert result.out.startswith(f"Would send to {tmp_path / 'shared'}\n * new         root ")
    assert " * new         digits: " in result.out
    assert " ! skipped     digits/parity: " in result.out
    assert result.out.endswith("B; nothing was sent\n")
    assert not (tmp_path / "shared").exists()
    plan = run(*here, "push", "--dry-run", "--json").json()
    assert plan["num_objects"] == run(*here, "push", "--json").json()["num_objects"]
    again = run(*here, "push", "--dry-run")
    assert "   up-to-date  digits\n" in again.out
    assert "0 objects, 0B; nothing was sent" in again.out


@pytest.mark.parametrize("verb", ["push", "pull", "fetch", "merge"])
def test_without_a_remote(run, empty_repo: Path, verb) -> None:
    result = run("-C", empty_repo, verb)
    assert result.code == 3
    assert "This repository has no remote." in result.err
    assert " remote add" in result.err


@pytest.mark.parametrize("verb", ["push", "pull", "fetch"])
def test_an_unknown_remote_or_task(run, shared, verb) -> None:
    result = run(*shared, verb, "nowhere")
    assert result.code == 3
    assert "nowhere" in result.err


def test_a_place_that_holds_other_things(run, trained_repo: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.txt").write_text("not a repository")
    result = run("-C", trained_repo, "remote", "add", "origin", "../full")
    assert result.code == 2
    assert "full" in result.err


def test_a_clone_prints_the_settings_it_took_over(run, empty_repo: Path) -> None:
    rates = [round(0.1 + n / 100, 2) for n in range(40)]
    run("-C", str(empty_repo), "config", "set", "evolve.children", "16")
    run("-C", str(empty_repo), "config", "set", "space.learning_rate", str(rates))
    cloned = run("clone", str(empty_repo), "copy")
    (line,) = [line for line in cloned.err.splitlines() if line.startswith("Took over")]
    assert line.startswith("Took over its settings: evolve.children = 16, space.learning_rate = [0.1, 0.11, 0.12, ")
    assert line.endswith(" config unset KEY")
    program = line[line.index("mu2net -C ") + len("mu2net ") :].removesuffix(" config unset KEY")
    assert run(*shlex.split(program), "config", "unset", "evolve.children").code == 0  # from where the clone was made
    assert run("clone", str(empty_repo), "other", "--json").json()["settings"]["evolve.children"] == 16


def test_a_clone_predicts_the_same(run, shared) -> None:
    cloned = run("clone", "shared", "copy")
    assert cloned.code == 0
    assert "Cloned into" in cloned.out
    here, there = (run(*where, "eval", "digits", "--json").json() for where in (shared, ["-C", "copy"]))
    assert (here["model"], here["correct"]) == (there["model"], there["correct"])
    assert run("-C", "copy", "fsck").code == 0


def test_what_cannot_be_cloned(run, shared, tmp_path: Path) -> None:
    assert run("clone", "nowhere", "copy").code == 3
    assert not (tmp_path / "copy").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.txt").write_text("mine")
    result = run("clone", "shared", "full")
    assert result.code == 4
    assert "holiday.txt" in result.err


def test_heads_that_moved_on_both_sides_are_merged(run, shared) -> None:
    run("clone", "shared", "copy")
    assert run(*shared, "evolve", "--task", "digits", "--seed", "11", *SMALL).code == 0
    assert run("-C", "copy", "evolve", "--task", "digits", "--seed", "12", *SMALL).code == 0
    assert run("-C", "copy", "push").code == 0
    assert run(*shared, "fetch").code == 0
    refused = run(*shared, "merge", "--on-conflict", "fail")
    assert refused.code == 4
    assert "digits" in refused.err
    assert " + merged      digits [" in run(*shared, "pull").out
    assert run(*shared, "log", "digits", "--json", "-n", "1").json()["event"] == "merge"
    assert run(*shared, "push").code == 0
    run("-C", "copy", "pull")
    heads = [run(*where, "show", "digits", "--json").json()["id"] for where in (shared, ["-C", "copy"])]
    assert heads[0] == heads[1]


def test_tags(run, trained_repo: Path) -> None:
    here = ["-C", trained_repo]
    assert run(*here, "tag").out == ""
    assert run(*here, "tag", "v1").out.startswith("Tagged v1: 2 tasks [")
    assert run(*here, "tag").rows()[0][:3:2] == ["v1", "digits, digits/parity"]
    assert run(*here, "tag", "--json").json()[0]["name"] == "v1"
    run(*here, "add-task", "sklearn:digits/five-or-more")
    moved = run(*here, "tag", "v1")
    assert moved.code == 4
    assert run(*here, "tag", "No Tag").code == 2


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_conflict_comes_after_the_list_of_what_was_done(run, shared, tmp_path: Path, verb: str) -> None:
    there = ["-C", tmp_path / "copy"]
    assert run("clone", tmp_path / "shared", tmp_path / "copy").code == 0
    other = ("--train", "all[:1000]", "--validation", "all[1000:1180]", "--test", "all[1180:1700]")
    assert run(*there, "add-task", "sklearn:digits", "--name", "both", *other).code == 0
    assert run(*shared, "add-task", "sklearn:digits", "--name", "both").code == 0
    assert run(*shared, "add-task", "sklearn:digits", "--name", "new").code == 0
    assert run(*there, "push").code == 0
    result = run(*shared, verb)
    assert result.code == 4
    assert " ! conflict    both" in result.out
    assert (" * new         new" in result.out) is (verb == "push")
    assert "360 and 180 validation examples" in result.err
    result = run(*shared, verb, "--json")
    assert result.code == 4
    found = {task["task"]: task["outcome"] for task in result.json()["tasks"]}
    assert found["both"] == "conflict"
    assert '"kind": "conflict"' in result.err


def test_a_remote_that_alone_has_components_can_be_known_by_another_name_and_then_be_removed(
    run, shared, tmp_path: Path
) -> None:
    there = ["-C", tmp_path / "copy"]
    run("clone", tmp_path / "shared", tmp_path / "copy")
    refused = run(*there, "remote", "remove", "origin")
    assert refused.code == 4
    assert f" remote add NAME {tmp_path}/shared" in refused.err
    assert run(*there, "remote", "add", "restored", tmp_path / "shared").code == 0
    assert run(*there, "remote", "remove", "origin").code == 0
    assert run(*there, "push", "restored").code == 0
    assert run(*there, "eval", "digits").code == 0


def test_a_clone_tells_how_to_let_a_private_task_in_that_others_name_as_a_reader(run, tmp_path: Path) -> None:
    repo = sample_repository(tmp_path / "ann")
    add_sample_task(repo, "dogs", AccessRule.only(["dogs"]))
    add_sample_task(repo, "cats", AccessRule.only(["dogs", "team"]))
    cloned = run("clone", repo.worktree, "copy")
    assert cloned.code == 5
    assert "hint:" not in cloned.err, "nothing is damaged"
    (command,) = re.findall(r"If that is no group, but this task: mu2net (.*)", cloned.out)
    assert run(*shlex.split(command)).code == 0  # from where the clone was made
    assert run("-C", "copy", "pull").code == 0
