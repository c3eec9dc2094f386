"""replay, and what evolve leaves for other programs."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.comparison import Replayed
from mu2net_core.api.evolving.replay import ReplayReport
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.setup.open import open_repo
from mu2net_core.objects import Children

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")


def trained_longer(folder: Path) -> str:
    """Stores the newest commit of digits as if its children had been trained for longer; returns its id."""
    repo = open_repo(folder, Context.default())
    head = repo.refs.head("digits")
    assert head is not None
    commit = repo.objects.commit(head.commit)
    assert commit.run is not None
    settings = {**commit.run.settings, "evolve.validations": 2}
    return repo.objects.put(replace(commit, run=replace(commit.run, settings=settings)))


def test_the_same_comes_out(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "replay", "digits")
    model = run("-C", trained_repo, "show", "digits", "--json").json()["entry"]["model"]
    assert result.code == 0
    assert result.out == f"digits: iteration 1 with seed 1: the same model, bit by bit ({model[:10]})\n"
    assert "digits: iteration 1: 1 generation of 1 child" in result.err
    report = run("-q", "-C", trained_repo, "replay", "digits", "--json").json()
    assert (report["outcome"], report["now"]["model"], report["differences"]) == ("same", model, [])


def test_another_comes_out(run, trained_repo: Path) -> None:
    oid = trained_longer(trained_repo)
    result = run("-C", trained_repo, "replay", oid)
    assert result.code == 1
    (first,), *rows = result.rows()
    assert first.startswith("digits: iteration 1 with seed 1: not the same; the first that differs is model 1 of 1 ")
    names = [row[0] for row in rows]
    assert names[0] == "settings"
    assert {"layer head", "validation_curve"} <= set(names)
    assert names[-4:] == ["retained model", "its validation", "its test", "at most apart"]
    assert all(len(row) == 3 for row in rows)
    document = run("-C", trained_repo, "replay", oid, "--json")
    assert (document.code, document.json()["outcome"]) == (1, "different")


def told(**changes: object) -> ReplayReport:
    """Returns a report that the same came out, and no model, with changes."""
    nothing = Replayed(model=None, manifest=None, children=Children(sampled=1, discarded={"nan": 1}))
    numbers = {"iteration": 1, "seed": 7, "step": 0, "steps": 0, "wall_s": 1.0}
    report = ReplayReport(
        commit="c" * 64, task="digits", outcome="same", then=nothing, now=nothing, differences=(), **numbers
    )
    return replace(report, **changes)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (told(), "digits: iteration 1 with seed 7: again no child that could be kept"),
        (told(outcome="different"), "digits: iteration 1 with seed 7: the same model, but other children"),
    ],
)
def test_what_became_of_children_that_left_no_other_model(
    run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch, report: ReplayReport, line: str
) -> None:
    monkeypatch.setattr("mu2net_core.api.evolving.replay.replay", lambda *_args, **_more: report)
    assert run("-C", trained_repo, "replay", "digits").out.splitlines()[0] == line


@pytest.mark.parametrize(
    ("named", "code", "message"),
    [
        ("digits~1", 2, "(add task digits) cannot be repeated: it is no iteration"),
        ("default", 2, "expected a task or the commit of an iteration"),
        ("digit", 3, "Did you mean digits"),
    ],
)
def test_what_cannot_be_repeated(run, trained_repo: Path, named: str, code: int, message: str) -> None:
    result = run("-C", trained_repo, "replay", named)
    assert result.code == code
    assert message in result.err
    assert result.out == ""


def test_events_are_appended_to_a_file(run, trained_repo: Path, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("{}\n")
    command = ("-C", trained_repo, "evolve", "-t", "digits", "--seed", "5", *SMALL, "--json")
    result = run(*command, "--events", "../events.jsonl")
    assert result.code == 0
    first, *events = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
    assert first == {}
    names = [event["event"] for event in events if event["event"] not in {"Compiled", "Compiling"}]
    assert [name for name, _ in groupby(names)] == [
        "IterationStarted",
        "GenerationStarted",
        "StepsFinished",
        "CycleFinished",
        "ChildFinished",
        "GenerationFinished",
        "IterationFinished",
    ]
    assert events[-1]["commit_id"] == result.json()["iterations"][0]["commit"]
    assert all(event["time"].endswith("+00:00") for event in events)


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (["--events", "no/such/folder/events"], 5, "Cannot write events to"),
        (["--events", "-"], 2, "Events go to a file"),
        (["--profile", "config/below"], 5, "No profile can be written: cannot write to"),
    ],
)
def test_where_nothing_can_be_written_nothing_begins(run, trained_repo: Path, option, code: int, message: str) -> None:
    (trained_repo / "config").write_text("a file")
    result = run("-C", trained_repo, "evolve", "--all", *option)
    assert result.code == code
    assert message in result.err
    assert "Writing a profile" not in result.err
    assert not Workspace.of(open_repo(trained_repo, Context.default()), "digits").folder.exists()


def test_a_profile_is_written_even_if_it_is_interrupted(run, trained_repo: Path, monkeypatch) -> None:
    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("mu2net_core.api.evolving.evolve.evolve", interrupt)
    for folder in ("profile", "again"):
        result = run("-C", trained_repo, "evolve", "--all", "--profile", folder)
        assert result.code == 130
        assert f"xprof --logdir {trained_repo / folder}" in result.err
        assert list((trained_repo / folder).rglob("*.xplane.pb"))


def test_doctor_says_how_large_the_cache_of_compiled_programs_is(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MU2NET_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "xla").mkdir(parents=True)
    (tmp_path / "cache" / "xla" / "program").write_bytes(bytes(1_200_000))
    found = {row[0]: row[1:] for row in run("doctor").rows()}["compiled programs"]
    assert found[0] == "ok"
    assert "1.2 MB, at most 2147 MB (MU2NET_COMPILE_CACHE_SIZE)" in found[1]
    monkeypatch.setenv("MU2NET_COMPILE_CACHE_SIZE", "much")
    assert {row[0]: row[1:] for row in run("doctor").rows()}["compiled programs"][0] == "failed"
