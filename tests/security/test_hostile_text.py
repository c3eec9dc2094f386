"""Text that somebody else wrote, wherever there can be text: it is shown and not obeyed, by no terminal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mu2net_core.objects import Agent, Classes, encode
from mu2net_core.repo import Repository
from mu2net_core.testing.attacks.writer import Writer
from mu2net_core.testing.building.samples import sample_task
from mu2net_core.testing.worlds.commands import Run

EVIL = "x\x1b]8;;http://evil\x07\x1b[2J\r\n\u202eetihw\u2066\x9b[red]a[/red][link=http://evil]b[/link]"


def evil_bucket(shared: Repository) -> Repository:
    """Returns the shared with hostile text wherever there can be text."""
    state = shared.refs.head("cats")
    assert state is not None
    task = sample_task("cats")
    splits = {name: replace(split, spec=EVIL) for name, split in task.splits.items()}
    task = replace(
        task, source=f"folder:/{EVIL}", output=Classes(names=(EVIL, "b")), splits=splits, options={EVIL: EVIL}
    )
    plain = json.loads(encode(task)) | {"input": {**json.loads(encode(task))["input"], EVIL: EVIL}}
    task_id = shared.objects.put_bytes("task", encode(plain))
    commit = shared.objects.commit(state.commit)
    assert commit.model is not None
    model = shared.objects.model(commit.model)
    refs = tuple(replace(ref, name=f"{ref.name}{EVIL}") for ref in model.components)
    model = replace(
        model,
        task_id=task_id,
        components=refs,
        hyperparameters={**model.hyperparameters, EVIL: EVIL},
        device_kind=EVIL,
        versions={EVIL: EVIL},
        architecture=replace(model.architecture, name=EVIL, config={EVIL: EVIL}),
    )
    evil = replace(
        commit,
        task_id=task_id,
        model=shared.objects.put(model),
        parents=(state.commit,),
        agent=Agent(id=EVIL, host=EVIL, device=EVIL),
        message=EVIL,
        children=replace(commit.children, sampled=1, discarded={EVIL: 1}),
    )
    Writer.into(shared).move("cats", evil)
    return shared


LOOKING = [
    ["log"],
    ["log", "--oneline"],
    ["show", "cats"],
    ["reflog", "cats"],
    ["status"],
    ["leaderboard"],
    ["ancestry", "cats"],
    ["ancestry", "cats", "--format", "table", "--transfer"],
    ["tasks"],
    ["fetch"],
    ["pull"],
    ["fsck"],
    ["tag"],
    ["config", "list"],
    ["remote", "list"],
    ["verify"],
    ["show", "cats\x1b[31m"],
    ["eval", "cats"],
]


def test_hostile_text_is_shown_and_not_obeyed(shared: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    cloned = run("clone", str(evil_bucket(shared).path), "mine")
    assert cloned.code == 0, cloned.err
    assert cloned.is_harmless
    for args in LOOKING:
        result = run("-C", "mine", *args)
        assert result.is_harmless, (args, result.out, result.err)
        assert "this is a defect" not in result.err, (args, result.err)
    assert r"\x1b]8;;http://evil\x07\x1b[2J\r\n\u202eetihw" in run("-C", "mine", "log").out
    plain = run("-C", "mine", "log", "--oneline").out.splitlines()
    assert len(plain) == 3


def test_hostile_text_in_json_is_json(shared: Repository, run: Run) -> None:
    assert run("clone", str(evil_bucket(shared).path), "mine", "--json").code == 0
    for args in LOOKING:
        if "--oneline" in args or "--format" in args:
            continue
        result = run("-C", "mine", *args, "--json")
        assert result.is_harmless, args
        for line in (result.out if result.code == 0 else result.err).splitlines():
            json.loads(line)
    entry = json.loads(run("-C", "mine", "log", "--json", "-n", "1").out)
    assert (entry["message"], entry["agent"]["host"]) == (EVIL, EVIL)


def test_hostile_text_on_a_terminal(shared: Repository, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("clone", str(evil_bucket(shared).path), "mine")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("mu2net_cli.printing.render.sys.stdout.isatty", lambda: True, raising=False)
    for args in LOOKING:
        result = run("--no-color", "--no-progress", "-C", "mine", *args)
        assert result.is_harmless, (args, result.out)
    drawn = run("--no-color", "-C", "mine", "tasks", "--wide").out
    assert drawn.split()[:2] == ["task", "data"]  # titles: it was a terminal
    assert "[red]a[/red]" in drawn.replace("\n", "").replace(" ", "")
