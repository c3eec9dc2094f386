"""leaderboard and ancestry."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(trained_repo: Path, monkeypatch) -> None:
    monkeypatch.chdir(trained_repo)


def test_a_row_per_task(run) -> None:
    result = run("leaderboard")
    rows = {row[0]: row for row in result.rows()}
    assert set(rows) == {"digits", "digits/parity"}
    assert all(row[1].endswith("%") and row[2].endswith("%") for row in rows.values())
    assert "mean validation" in result.err


def test_a_terminal_of_80_columns_gets_what_fits_unless_all_is_asked_for(run, monkeypatch) -> None:
    piped = run("leaderboard").rows()
    assert {len(row) for row in piped} == {11}
    assert run("leaderboard", "--wide").rows() == piped
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    drawn = run("--no-color", "leaderboard").out.splitlines()
    assert drawn[0].split() == ["task", "validation", "test", "parameters", "blocks", "shared", "iterations"]
    assert len(drawn) == 1 + len(piped)
    assert "knowledge from" in run("--no-color", "leaderboard", "--wide").out


def test_a_tag_shows_it_as_it_was(run) -> None:
    run("tag", "first")
    before = run("leaderboard", "--json").json()
    run("add-task", "sklearn:digits/five-or-more")
    assert len(run("leaderboard").rows()) == 3
    assert run("leaderboard", "--at", "first", "--json").json() == before
    assert run("leaderboard", "--at", "digits").code == 2


def test_the_tree_leads_every_layer_to_its_beginning(run) -> None:
    lines = run("ancestry", "digits").out.splitlines()
    assert lines[0].startswith("digits [")
    layers = [line.split()[1] for line in lines if line.startswith(("├── ", "└── "))]
    assert layers[0] == "patch_embedding"
    assert layers[-1] == "head"
    assert any("└── root [" in line for line in lines)
    assert lines[-1].startswith("models: digits [")
    assert "root [" in lines[-1]


def test_transfer_tells_who_taught_what(run) -> None:
    text = run("ancestry", "digits", "--transfer").out
    assert "(digits 100.0%)" in text
    assert "taught by, counting parameters: digits 100.0%" in text


def test_table_and_json(run) -> None:
    rows = run("ancestry", "digits", "--format", "table", "--transfer").rows()
    assert rows[-1][0] == "head"
    assert rows[-1][-1] == "digits 100.0%"
    document = run("ancestry", "digits", "--format", "json").json()
    assert document == run("ancestry", "digits", "--json").json()
    assert [part["layer"] for part in document["components"]] == [row[0] for row in rows]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["digit"], 3, "Did you mean digits"),
        (["digits@{1}"], 3, "had no model yet"),
        (["digits", "--format", "svg"], 2, "svg"),
    ],
)
def test_what_has_no_ancestry(run, args, code, message) -> None:
    result = run("ancestry", *args)
    assert result.code == code
    assert message in result.err


def test_shared_means_used_by_other_tasks_and_frozen_means_unchanged_from_the_parent(run) -> None:
    run("add-task", "sklearn:digits/five-or-more")
    small = ("--generations", "1", "--children", "1", "--validations", "1")
    assert run("evolve", "--task", "digits/five-or-more", "--seed", "5", *small).code == 0
    heads = {task["task"]: task["model"] for task in run("status", "--json").json()["tasks"]}
    models = {task: run("show", oid, "--json").json()["model"]["components"] for task, oid in heads.items()}
    rows = {row["task"]: row for row in run("leaderboard", "--json").json()["rows"]}
    piped = {row[0]: row for row in run("leaderboard").rows()}
    for task, parts in models.items():
        others = {part["id"] for other in models if other != task for part in models[other]}
        shared = sum(part["id"] in others for part in parts)
        assert (rows[task]["shared_components"], rows[task]["components"]) == (shared, len(parts))
        assert piped[task][7] == f"{shared}/{len(parts)}"
        assert piped[task][6] == str(rows[task]["blocks"]) == str(sum("block" in part["name"] for part in parts))
        states = ["trained" if part["trainable"] else "frozen" for part in parts]
        assert [row[2] for row in run("ancestry", task, "--format", "table").rows()] == states
        shown = run("show", heads[task]).out
        assert [line.split()[3] for line in shown.splitlines()[-len(parts) :]] == states
        assert "shared" not in shown
