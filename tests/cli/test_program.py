"""Commands that are told work where the user is, whoever tells them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mu2net_cli.parsing.program import as_called, program_in


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Make one: mu2net evolve --task a", "Make one: mu2net -C sys evolve --task a"),
        ("`mu2net push` or `mu2net fsck` there", "`mu2net -C sys push` or `mu2net -C sys fsck` there"),
        ("pip install -U mu2net", None),
        ("pip install 'mu2net[heic]'", None),
        ("this mu2net reads format 1", None),
        ("mu2net -C elsewhere push", None),
        ("the file /tmp/mu2net push.txt", None),
    ],
)
def test_only_calls_of_a_verb_are_told_as_the_user_calls_it(text: str, told: str | None) -> None:
    assert as_called(text, "mu2net -C sys") == (told or text)
    assert as_called(text, "mu2net") == text


def test_a_folder_below_the_one_that_was_given_is_named_from_where_the_user_is(tmp_path: Path) -> None:
    assert program_in(None) == "mu2net"
    assert program_in("my work", "sys") == "mu2net -C 'my work/sys'"
    assert program_in("work", tmp_path) == f"mu2net -C {tmp_path}"


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (["tasks"], "add-task sklearn:digits"),
        (["add-task", "sklearn:digits"], "evolve --task digits"),
        (["pull"], "remote add origin FOLDER"),
        (["evolve"], "tasks"),
        (["log", "nothing"], "tasks"),
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before the verb", "after it"])
def test_what_is_told_from_outside_the_folder_names_it(
    run, empty_repo: Path, monkeypatch, tmp_path: Path, verb: list[str], told: str, after: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    place = ["-C", str(empty_repo)]
    err = run(*verb, *place).err if after else run(*place, *verb).err
    assert f"mu2net {shlex.join(place)} {told}" in err
    assert err.count("mu2net ") == err.count("mu2net -C")


def test_a_bare_repository_is_to_be_shared_and_not_grown(run, tmp_path: Path) -> None:
    err = run("init", "hub", "--bare", "--preset", "vit-mini").err
    assert f"in a working copy: mu2net remote add origin {tmp_path / 'hub'}" in err
