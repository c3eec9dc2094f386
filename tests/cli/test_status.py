"""status: where everything stands, and what to do next."""

from __future__ import annotations

from pathlib import Path


def advice(result) -> str:
    return result.out.splitlines()[-1]


def test_an_empty_system_needs_a_task(run, empty_repo: Path) -> None:
    result = run("-C", empty_repo, "status")
    assert result.out.startswith(f"System {empty_repo} (preset vit-mini)\n0 tasks, ")
    assert advice(result).startswith("Next: mu2net add-task DATASET")


def test_a_new_task_needs_evolution(run, empty_repo: Path) -> None:
    run("-C", empty_repo, "add-task", "sklearn:digits")
    result = run("-C", empty_repo, "status")
    assert "  digits  public, no model yet" in result.out
    assert advice(result) == "Next: mu2net evolve --all"


def test_only_the_tasks_without_a_model_are_named(run, trained_repo: Path) -> None:
    run("-C", trained_repo, "add-task", "sklearn:digits/five-or-more")
    assert advice(run("-C", trained_repo, "status")) == "Next: mu2net evolve --task digits/five-or-more"


def test_a_trained_system_can_go_on_or_be_shared(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "status")
    assert "digits/parity  private, 1 iteration: validation" in result.out
    assert advice(result) == "Next: mu2net evolve --all, or share it: mu2net remote add origin FOLDER"


def test_remotes_are_compared_as_they_were_last_seen(run, trained_repo: Path) -> None:
    here = ["-C", trained_repo]
    run(*here, "remote", "add", "origin", "../shared")
    before = run(*here, "status")
    assert "origin" in before.out
    assert "not contacted yet" in before.out
    assert advice(before) == "Next: mu2net push origin"
    run(*here, "push")
    after = run(*here, "status")
    assert "up to date" in after.out
    assert advice(after) == "Next: mu2net evolve --all"  # the private task can never be pushed there
    run("clone", "shared", "copy")
    run("-C", "copy", "add-task", "sklearn:digits/five-or-more")
    run("-C", "copy", "push")
    run(*here, "fetch")
    behind = run(*here, "status")
    assert "to pull: digits/five-or-more" in behind.out
    assert advice(behind) == "Next: mu2net pull origin"


def test_as_json(run, trained_repo: Path) -> None:
    report = run("-C", trained_repo, "status", "--json").json()
    assert [task["task"] for task in report["tasks"]] == ["digits", "digits/parity"]
    assert report["unfinished"] == []
