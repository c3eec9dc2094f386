"""tag: make, list, delete."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def inside(trained_repo: Path, monkeypatch) -> None:
    monkeypatch.chdir(trained_repo)


def test_tags_are_listed_with_their_newest_work_and_the_remotes_that_have_them(run) -> None:
    run("tag", "all")
    assert run("tag", "open", "--public").out.startswith("Tagged open: 1 task [")
    run("remote", "add", "origin", "../shared")
    pushed = run("push").out
    assert "skipped     tag all" in pushed
    assert "to name only what is public: mu2net tag NAME --public" in pushed
    rows = {row[0]: row[2:] for row in run("tag").rows()}
    assert [rows[name][::2] for name in ("all", "open")] == [["digits, digits/parity", "-"], ["digits", "origin"]]
    assert all(row[1].endswith(" UTC") for row in rows.values())


def test_a_tag_is_deleted_here_and_it_is_said_where_it_still_is(run) -> None:
    run("tag", "open", "--public")
    run("tag", "v1")
    run("remote", "add", "origin", "../shared")
    run("push")
    assert run("tag", "--delete", "v1").err == ""
    result = run("tag", "-d", "open")
    assert result.out.startswith("Deleted tag open: it was ")
    assert "still on origin" in result.err
    assert run("tag").out == ""
    assert run("tag", "-d", "open").code == 3
    run("fetch")
    assert [row[0] for row in run("tag").rows()] == ["open"]


@pytest.mark.parametrize("args", [["--delete"], ["--public"], ["v1", "--public", "--delete"]])
def test_options_that_make_no_sense_together(run, args: list[str]) -> None:
    assert run("tag", *args).code == 2
