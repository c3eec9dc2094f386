"""reflog, reset."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def repository(trained_repo: Path, monkeypatch) -> Path:
    monkeypatch.chdir(trained_repo)
    return trained_repo


def test_the_log_of_a_head_as_rows_and_json(run) -> None:
    rows = run("reflog", "digits").rows()
    assert [(row[0], row[1], row[4]) for row in rows] == [("digits@{0}", "2", "iteration"), ("digits@{1}", "1", "add")]
    assert rows[1][6] == "add task digits"
    entries = run("reflog", "--json").json()
    assert [entry["revision"] for entry in entries][2:] == ["digits/parity@{0}", "digits/parity@{1}"]
    assert entries[0]["commit"].startswith(rows[0][2])
    assert {entry["state"] for entry in entries} == {"kept"}


def test_going_back_and_forth_again(run) -> None:
    before = run("show", "digits", "--json").json()["commit"]["model"]
    told = run("reset", "digits", "@{1}", "--yes")
    assert (told.code, "(no model)" in told.out, "1 commit left behind" in told.out) == (0, True, True)
    assert run("log", "digits", "-n", "1", "--json").json()["event"] == "reset"
    back = told.out.rsplit("mu2net ", 1)[1].split()
    assert run(*back, "--yes").code == 0
    assert run("show", "digits", "--json").json()["commit"]["model"] == before
    assert "Nothing to do" in run("reset", "digits", "digits").out


def test_it_asks_first(run) -> None:
    refused = run("reset", "digits", "@{1}")
    assert (refused.code, "Resetting digits needs a yes" in refused.err) == (2, True)
    assert "mu2net reset digits '@{1}' --yes" in refused.err
    dry = run("reset", "digits", "@{1}", "--dry-run")
    assert (dry.code, dry.out.startswith("Would reset digits to ")) == (0, True)
    assert len(run("reflog", "digits").rows()) == 2


def test_json(run) -> None:
    result = run("reset", "digits", "@{1}", "--yes", "--json").json()
    assert (result["task"], result["model"], result["changed"], len(result["left_behind"])) == ("digits", None, True, 1)
    assert run("reflog", "digits", "--json").json()[0]["commit"] == result["commit"]


def test_a_removed_task_comes_back(run) -> None:
    assert run("rm-task", "digits", "--yes").code == 0
    assert run("reset", "digits", "@{1}", "--yes").code == 0
    assert [row[0] for row in run("tasks").rows()] == ["digits", "digits/parity"]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["digits", "digits/parity"], 2, "a commit of digits/parity"),
        (["digits", "@{7}"], 3, "moved 2 times"),
        (["digit", "@{1}"], 3, "Did you mean digits"),
    ],
)
def test_what_cannot_be(run, args, code, message) -> None:
    refused = run("reset", *args, "--yes")
    assert refused.code == code
    assert message in refused.err
