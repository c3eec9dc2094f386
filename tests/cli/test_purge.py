"""rm-task --purge."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(empty_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(empty_repo)
    return empty_repo


@pytest.fixture
def shared(run) -> None:
    run("add-task", "sklearn:digits")
    run("add-task", "sklearn:digits", "--name", "other")
    run("remote", "add", "origin", "../shared")
    assert run("push").code == 0


def test_a_purge_here_says_what_went_and_where_it_still_is(run, shared) -> None:
    result = run("rm-task", "digits", "--purge", "--yes")
    assert result.code == 0
    assert result.out.startswith("Purged task digits from ")
    assert "mu2net rm-task digits --purge --remote origin" in result.err
    assert "purge" in run("log", "digits").out
    assert run("tasks").rows()[-1][0] == "other"
    assert run("status").code == run("fsck").code == 0


def test_a_purged_task_that_is_added_again_begins_anew(run, shared) -> None:
    run("rm-task", "digits", "--purge", "--yes")
    assert "It was purged before and begins anew" in run("add-task", "sklearn:digits").out


def test_a_purged_task_is_listed_as_that_and_tells_nothing_made_up(run, shared) -> None:
    run("rm-task", "digits", "--purge", "--yes")
    assert run("tasks", "--removed").rows()[0] == ["digits", *"---", "purged", *"---"]
    shown = run("show", "digits").out
    assert "data:            purged" in shown
    assert "examples" not in shown


def test_what_was_purged_here_and_not_there_is_a_next_step(run, shared) -> None:
    run("rm-task", "digits", "--purge", "--yes")
    status = run("status").out
    assert "purged here, still there: digits" in status
    assert "Next: mu2net rm-task digits --purge --remote origin " in status


def test_only_remotes_that_had_it_and_tags_that_named_it_are_told(run, shared, tmp_path: Path) -> None:
    run("remote", "add", "elsewhere", "../elsewhere")
    run("add-task", "sklearn:digits", "--name", "unsent")
    run("tag", "with-all")
    told = run("rm-task", "unsent", "--purge", "--yes").err
    assert "--remote" not in told
    assert "cannot be pushed any more: with-all" in told
    run("push", "elsewhere", "other")
    told = run("rm-task", "digits", "--purge", "--yes").err
    assert "mu2net rm-task digits --purge --remote origin" in told
    assert "--remote elsewhere" not in told
    assert "with-all: " in run("push").out or "with-all" in run("push").out


def test_a_removal_can_be_tried_without_purging(run, shared) -> None:
    result = run("rm-task", "digits", "--dry-run")
    assert (result.code, result.out[:25]) == (0, "Would remove task digits ")
    assert "history would stay" in result.out
    assert [row[0] for row in run("tasks").rows()] == ["digits", "other"]
    assert run("rm-task", "digits", "--dry-run", "--json").json()["commit_id"]
    assert run("rm-task", "digits", "--yes").code == 0
    assert run("rm-task", "digits", "--dry-run").code == 3


def test_a_purge_there_that_status_names_is_no_next_step_any_more(run, shared) -> None:
    run("rm-task", "digits", "--purge", "--yes")
    assert run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "--yes").code == 0
    assert "still there" not in run("status").out


def test_what_was_purged_there_alone_is_told_as_kept_at_once(run, shared) -> None:
    assert run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "--yes").code == 0
    assert "purged there, kept here: digits" in run("status").out


def test_a_purge_there(run, shared) -> None:
    dry = run("rm-task", "digits", "--purge", "--remote", "origin", "--dry-run")
    assert dry.out.startswith("Would purge task digits from ")
    result = run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "--yes", "--json")
    assert result.json()["num_objects"] > 0
    assert run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "-y").out.endswith("0 objects, 0B\n")
    again = run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "-y")
    assert "It is still here, and stays; to drop it here, too: mu2net rm-task digits --purge" in again.err
    assert run("rm-task", "digits", "--purge", "--yes").code == 0
    assert "still here" not in run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "-y").err


def test_what_others_purged_is_kept_or_set_aside_and_brought_back(run, shared) -> None:
    run("rm-task", "digits", "--purge", "--remote", "origin", "--now", "--yes")
    kept = run("pull")
    assert "skipped     digits: it was purged from origin" in kept.out
    assert "To drop it here, too: mu2net rm-task digits --purge" in kept.out
    run("config", "set", "pull.follow_purges", "true")
    assert "mu2net rm-task digits --undo brings it back" in run("pull").out
    assert "Set aside: digits, since others purged it; mu2net rm-task digits --undo brings it back" in run("status").out
    assert "set aside" in run("reflog", "digits").out
    assert "of digits set aside until " in run("gc", "--prune", "--yes").err
    assert run("rm-task", "digits", "--undo").out.startswith("Brought back task digits [")
    assert "digits" in run("tasks").out
    assert run("config", "set", "pull.follow_purges", "maybe").code == 2


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["digits", "--purge"], 2, "Purging task digits for good needs a yes"),
        (["digits"], 2, "Removing task digits needs a yes"),
        (["nope"], 3, "There is no task 'nope'"),
        (["digits", "--remote", "origin"], 2, "--remote goes with --purge only"),
        (["digits", "--purge", "--now"], 2, "--now goes with --remote only"),
        (["digit", "--purge", "--yes"], 3, "Did you mean digits?"),
        (["digits", "--undo"], 3, "Nothing of digits is set aside here"),
        (["digits", "--undo", "--purge"], 2, "--undo goes with no other option"),
        (["digits", "--purge", "--remote", "nowhere", "--yes"], 3, "no remote nowhere"),
    ],
)
def test_what_is_refused(run, shared, args, code, message) -> None:
    result = run("rm-task", *args)
    assert (result.code, message in result.err) == (code, True)
    assert run("tasks").code == 0
