"""Global options, the error boundary and the overview of verbs."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from mu2net_cli.verbs import VERBS
from mu2net_core import __version__
from mu2net_core.errors import ConflictError


def test_help_lists_every_verb_with_its_line(run) -> None:
    result = run("--help")
    assert result.code == 0
    for verb in VERBS.values():
        assert f"{verb.name} " in result.out
        assert verb.help in " ".join(result.out.split())


def test_version(run) -> None:
    assert run("--version").out == f"mu2net {__version__}\n"


def test_no_arguments_print_the_help_as_a_usage_error(run) -> None:
    result = run()
    assert result.code == 2
    assert "evolve" in result.out + result.err


@pytest.mark.parametrize(("typed", "meant"), [("evolv", "evolve"), ("stat", "status"), ("add_task", "add-task")])
def test_an_unknown_verb_gets_the_nearest_named(run, typed, meant) -> None:
    result = run(typed)
    assert result.code == 2
    assert f"{typed!r} is not a mu2net command. Did you mean" in result.err
    assert meant in result.err


def test_an_unknown_option_is_a_usage_error(run) -> None:
    result = run("status", "--nonsense")
    assert result.code == 2
    assert "--nonsense" in result.err


@pytest.mark.parametrize("verb", ["status", "log", "tasks", "leaderboard", "push", "fsck"])
def test_no_repository_here(run, verb, tmp_path: Path) -> None:
    result = run(verb)
    assert result.code == 3
    assert result.err.startswith(f"error: No repository in {tmp_path}")
    assert "hint: Make one with `mu2net init`" in result.err
    assert result.out == ""


def test_errors_are_json_when_json_is_asked_for(run) -> None:
    result = run("status", "--json")
    error = json.loads(result.err)["error"]
    assert error["kind"] == "not-found"
    assert error["exit_code"] == result.code == 3
    assert "mu2net init" in error["hint"]


@pytest.mark.parametrize("args", [["log", "--nonsense"], ["evolve", "--children", "many"], ["show"], ["nonsense"]])
def test_usage_errors_are_json_too_when_json_is_asked_for(run, args) -> None:
    result = run(*args, "--json")
    error = json.loads(result.err)["error"]
    assert (error["kind"], error["exit_code"], result.code, result.out) == ("usage", 2, 2, "")


@pytest.mark.parametrize(
    ("args", "hint"), [(["push", "-q"], "mu2net -q push"), (["config", "get", "-v"], "config get")]
)
def test_a_global_option_after_the_verb_is_sent_before_it(run, args, hint) -> None:
    result = run(*args)
    assert result.code == 2
    assert "hint: Global options go before the verb: mu2net -" in result.err
    assert hint in result.err
    assert "Global options" not in run("push", "--nonsense").err


def test_a_wrong_choice_lists_those_there_are(run) -> None:
    result = run("push", "--on-conflict", "mine")
    assert result.code == 2
    assert "'mine' is not one of 'best', 'ours', 'theirs', 'fail'" in result.err
    assert "Value error" not in result.err


def test_the_folder_of_option_c_must_exist(run) -> None:
    result = run("-C", "nowhere", "status")
    assert result.code == 3
    assert "there is no such folder" in result.err


def test_a_deliberate_error_has_no_traceback_unless_asked_for(run, monkeypatch) -> None:
    def fail(*_args, **_kwargs):
        raise ConflictError("Somebody was faster.", hint="Try again.")

    monkeypatch.setattr("mu2net_cli.session.Session.repo", fail)
    result = run("status")
    assert (result.code, result.out, result.err) == (4, "", "error: Somebody was faster.\nhint: Try again.\n")
    with pytest.raises(ConflictError, match="Somebody was faster"):
        run("--debug", "status")


def test_a_defect_says_how_to_see_more(run, monkeypatch) -> None:
    def fail(*_args, **_kwargs):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("mu2net_cli.session.Session.repo", fail)
    result = run("status")
    assert result.code == 1
    assert "error: unexpected ZeroDivisionError: division by zero" in result.err
    assert "Traceback" not in result.err


def test_an_interruption_exits_130(run, monkeypatch) -> None:
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("mu2net_cli.session.Session.repo", interrupt)
    assert run("status").code == 130


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ELOOP, errno.EIO], ids=errno.errorcode.get
)
def test_what_a_disk_refuses_is_no_defect_wherever_it_is_met(run, empty_repo: Path, monkeypatch, number: int) -> None:
    def refuse(*_args, **_more):
        raise OSError(number, os.strerror(number), "/data/some/file")

    monkeypatch.setattr("mu2net_core.api.tasks.tasks", refuse)
    result = run("-C", empty_repo, "tasks")
    assert result.code == 5
    assert f"/data/some/file: {os.strerror(number)}" in result.err or "disk full" in result.err
    assert "hint: " in result.err
    assert "defect" not in result.err
    result = run("-C", empty_repo, "tasks", "--json")
    assert json.loads(result.err)["error"]["exit_code"] == 5
