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
    assert drawn[0].split() == ["task", "validation", "test", "parameters", "layers", "shared", "iterations"]
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
