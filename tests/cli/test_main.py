"""Global options, the error boundary and the overview of verbs."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from mu2net_cli.main import app
from mu2net_cli.parsing.anywhere import global_params
from mu2net_cli.parsing.group import load_verb
from mu2net_cli.parsing.verbs import VERBS
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


@pytest.mark.parametrize("args", [[], ["config"], ["cache"]])
def test_a_verb_that_lacks_its_command_is_explained_as_a_usage_error(run, args: list[str]) -> None:
    result = run(*args)
    assert (result.code, result.out) == (2, "")
    assert result.err == run(*args, "--help").out


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


@pytest.mark.parametrize("args", [["-C", "repo", "tasks"], ["tasks", "-C", "repo"], ["tasks", "--json", "-C", "repo"]])
def test_the_folder_may_be_named_before_the_verb_or_after_it(run, empty_repo: Path, args: list[str]) -> None:
    assert run(*args).code == 0
    assert run("tasks").code == 3


@pytest.mark.parametrize("verb", ["tag", "config", "remote"])
def test_every_verb_takes_the_options_for_all(run, empty_repo: Path, verb: str) -> None:
    unset = ["config", "unset", "evolve.children"]
    command = {"tag": ["tag", "v1"], "config": unset, "remote": ["remote", "list"]}[verb]
    run("-C", "repo", "config", "set", "evolve.children", "3")
    result = run(*command, "-q", "-C", "repo", "--no-color", "--no-progress", "--debug", "--header", "-v")
    assert (result.code, result.err) == (0, "")
    assert result.out == ("name\turl\treaders\tclone\tprobed\toptions\n" if verb == "remote" else "")


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_every_verb_names_the_options_for_all(run, name: str) -> None:
    lines = run(name, "--help").out.splitlines()
    header = "" if name == "add-task" else " --header,"  # which has one of its own, of files of rows
    assert lines[-1] == f"Global options: -C DIR, -q, -v, --no-color, --no-progress,{header} --debug"
    assert not any(line.strip().startswith(("-q", "--debug")) for line in lines)


def test_an_option_of_the_verbs_own_is_its_own(monkeypatch) -> None:
    taken = SimpleNamespace(name="verbose", opts=["-v"], secondary_opts=[])
    root = typer.Context(typer.main.get_command(app), info_name="mu2net")
    ctx = typer.Context(load_verb("tasks"), info_name="tasks", parent=root)
    assert {"quiet", "verbose"} <= {param.name for param in global_params(ctx, [])}
    assert "verbose" not in {param.name for param in global_params(ctx, [taken])}


def test_help_explains_verbs_as_their_own_option_does(run) -> None:
    assert run("help", "evolve").out == run("evolve", "--help").out
    assert run("help", "remote", "add").out == run("remote", "add", "--help").out
    assert run("help").out == run("--help").out
    assert "Did you mean evolve" in run("help", "evolv").err
    assert run("help", "remote", "ad").code == 2
    assert "mu2net tag has no commands of its own" in run("help", "tag", "list").err


def test_what_a_verb_takes_is_said_in_plain_words(run) -> None:
    assert "Usage: mu2net predict [OPTIONS] REVISION [EXAMPLE...]\n" in run("help", "predict").out
    text = "".join(run("help", name).out for name in VERBS)
    assert not re.search(r"<[a-z]+|\[\[|[{}]", re.sub(r"@\{\w\}", "", text))


def test_usage_errors_look_like_all_others(run) -> None:
    result = run("config", "get")
    assert result.err.splitlines() == [
        "Usage: mu2net config get [OPTIONS] KEY",
        "error: Missing argument 'KEY'.",
        "hint: All that mu2net config get takes: mu2net config get --help",
    ]


def test_a_command_that_needs_another_one_says_which_there_are(run) -> None:
    result = run("config", "evolve.refit_from", "1")
    assert result.code == 2
    assert result.err.splitlines()[1:] == [
        "error: No such command 'evolve.refit_from'.",
        "hint: mu2net config goes on with get or set or unset or list: mu2net config --help",
    ]


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

    monkeypatch.setattr("mu2net_core.api.looking.tasks.tasks", refuse)
    result = run("-C", empty_repo, "tasks")
    assert result.code == 5
    assert f"/data/some/file: {os.strerror(number)}" in result.err or "disk full" in result.err
    assert "hint: " in result.err
    assert "defect" not in result.err
    result = run("-C", empty_repo, "tasks", "--json")
    assert json.loads(result.err)["error"]["exit_code"] == 5
