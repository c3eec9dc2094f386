"""Hints that repeat the command that was given: pasted as they are, they do what was meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mu2net_core.testing.building.samples import add_sample_task, sample_repository


@pytest.fixture
def here(run, tmp_path: Path) -> Path:
    """Returns a working copy with a task and a remote, in a folder whose name has a space."""
    repo = sample_repository(tmp_path / "my work")
    add_sample_task(repo, "a")
    assert run("-C", repo.worktree, "remote", "add", "origin", tmp_path / "hub").code == 0
    assert run("-C", repo.worktree, "push").code == 0
    return repo.worktree


COMMANDS = (
    ["gc", "--remote", "origin", "--prune", "--grace", "36h"],
    ["gc", "--prune"],
    ["reset", "a", "@{0}"],
    ["rm-task", "a"],
    ["rm-task", "a", "--purge"],
    ["rm-task", "a", "--purge", "--remote", "origin", "--now"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "from elsewhere"])
def test_the_hint_to_say_yes_has_every_argument_that_was_given(
    run, here: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], inside: bool
) -> None:
    if inside:
        monkeypatch.chdir(here)
    else:
        command = ["-C", str(here), *command]
    if "reset" in command:
        run("-C", here, "rm-task", "a", "--yes")  # so that there is something to go back from
        command = [word.replace("@{0}", "@{1}") for word in command]
    result = run(*command)
    assert result.code == 2
    hint = next(line for line in result.err.splitlines() if line.startswith("hint: "))
    said = hint.removeprefix("hint: Say it with: ").partition("; look first")[0]
    words = shlex.split(said)
    assert words[0] == "mu2net"
    assert sorted(words[1:]) == sorted([*command, "--yes"])
    assert run(*words[1:]).code == 0


def test_what_a_dry_run_found_can_be_deleted_as_it_says(run, here: Path) -> None:
    junk = here / ".mu2net" / "objects" / "commit" / "00" / ("0" * 62)
    (here / ".mu2net" / "refs" / ".tmp-left").write_bytes(b"x")
    assert not junk.exists()
    result = run("-C", here, "gc", "--grace", "0")
    assert "To delete: " in result.err
    words = shlex.split(result.err.partition("To delete: ")[2].splitlines()[0])
    assert sorted(words[1:]) == sorted(["-C", str(here), "gc", "--grace", "0", "--prune"])
    assert run(*words[1:], "--yes").out.startswith("Deleted ")
