"""status: where everything stands, and what to do next."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.objects import Agent
from mu2net_core.repo import open_repository
from mu2net_core.testing.building.samples import evolve_sample


def advice(result) -> list[str]:
    """Returns the commands that a user is told to run next, without the folder that each of them names."""
    lines = [line.removeprefix("Next: ") for line in result.out.splitlines() if line.startswith("Next: ")]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert all(words[1] == "-C" for words in commands)
    return [shlex.join(["mu2net", *words[3:]]) for words in commands]


def follow(run, repo: Path, command: str):
    """Runs a command that was told, as a user who pastes it."""
    return run("-C", repo, *shlex.split(command)[1:])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every iteration as short as can be."""
    for name, value in {"GENERATIONS": "1", "CHILDREN": "1", "VALIDATIONS": "1"}.items():
        monkeypatch.setenv(f"MU2NET_EVOLVE_{name}", value)


def test_an_empty_system_needs_a_task(run, empty_repo: Path) -> None:
    result = run("-C", empty_repo, "status")
    assert result.out.startswith(f"System {empty_repo} (preset vit-mini)\n0 tasks, ")
    assert advice(result) == ["mu2net add-task sklearn:digits"]
    assert follow(run, empty_repo, advice(result)[0]).code == 0
    assert "  digits  public, no model yet" in run("-C", empty_repo, "status").out


def test_only_the_tasks_without_a_model_are_named(run, trained_repo: Path) -> None:
    for task in ("one", "two"):
        run("-C", trained_repo, "add-task", "sklearn:digits", "--name", task)
    assert advice(run("-C", trained_repo, "status")) == ["mu2net evolve --task one --task two"]


def test_a_trained_system_can_go_on_or_be_shared(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "status")
    assert "digits/parity  private, 1 iteration: validation" in result.out
    assert advice(result) == ["mu2net evolve --all", "mu2net remote add origin ../shared"]
    assert follow(run, trained_repo, advice(result)[1]).code == 0
    assert "not contacted yet" in run("-C", trained_repo, "status").out


def test_a_model_that_may_as_well_guess_is_told_in_its_line_and_in_json(
    run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ("-C", trained_repo, "status")
    assert "guessing" not in run(*here).out
    monkeypatch.setattr("mu2net_core.api.looking.status.is_chance", lambda *_: True)
    (line,) = (line for line in run(*here).out.splitlines() if line.startswith("  digits/parity  "))
    assert line.endswith("%, no better than guessing")
    assert {task["at_chance"] for task in run(*here, "--json").json()["tasks"]} == {True}


def test_all_that_can_be_done_is_told_in_the_order_in_which_one_would_do_it(run, trained_repo: Path) -> None:
    here = ["-C", trained_repo]
    run(*here, "remote", "add", "origin", "../shared")
    assert advice(run(*here, "status")) == ["mu2net push origin"]
    run(*here, "push")
    after = run(*here, "status")
    assert ", as seen just now: up to date" in after.out
    assert advice(after) == ["mu2net evolve --all"]  # the private task can never be pushed there
    run("clone", "shared", "copy")
    run("-C", "copy", "add-task", "sklearn:digits/five-or-more")
    run("-C", "copy", "push")
    run(*here, "fetch")
    assert run(*here, "reset", "digits", "@{1}", "--yes").code == 0
    run(*here, "add-root", "other", "--seed", "5")
    result = run(*here, "status")
    assert "to push: digits, root other; to pull: digits/five-or-more" in result.out
    steps = advice(result)
    assert steps == ["mu2net pull origin", "mu2net push origin", "mu2net evolve --task digits"]
    assert [follow(run, trained_repo, step).code for step in steps] == [0, 0, 0]


def test_it_says_how_old_the_knowledge_of_a_remote_is(run, trained_repo: Path) -> None:
    run("-C", trained_repo, "remote", "add", "origin", "../shared")
    run("-C", trained_repo, "push")
    (note,) = (trained_repo / ".mu2net" / "state" / "remotes").glob("*.json")
    known = json.loads(note.read_text())
    note.write_text(json.dumps(known | {"seen_at": "2025-01-02T03:04:05+00:00"}))
    assert " days ago: up to date" in run("-C", trained_repo, "status").out
    evolve_sample(open_repository(trained_repo / ".mu2net"), "digits", score=0.9)
    run("-C", trained_repo, "push", "origin", "digits")
    assert " days ago: up to date" in run("-C", trained_repo, "status").out  # a push looks at nobody else's tasks
    run("-C", trained_repo, "fetch")
    assert ", as seen just now: up to date" in run("-C", trained_repo, "status").out


def test_a_preset_of_ones_own_is_called_by_its_name(run, tmp_path: Path) -> None:
    config = tmp_path / "no-settings" / "mu2net" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[presets.mine]\nbase = "vit-mini"\nevolve.children = 3\n')
    assert run("init", "own", "--preset", "mine").code == 0
    run("-C", "own", "config", "set", "evolve.children", "5")
    result = run("-C", "own", "status")
    assert "(preset mine, based on vit-mini)" in result.out
    report = run("-C", "own", "status", "--json").json()
    assert (report["preset"], report["based_on"]) == ("mine", "vit-mini")


def test_as_json(run, trained_repo: Path) -> None:
    report = run("-C", trained_repo, "status", "--json").json()
    assert [task["task"] for task in report["tasks"]] == ["digits", "digits/parity"]
    assert report["unfinished"] == []
    here = f"mu2net -C {trained_repo}"
    assert [step["command"] for step in report["next"]] == [
        f"{here} evolve --all",
        f"{here} remote add origin ../shared",
    ]
    assert all(step["why"] for step in report["next"])


def works(repo: Path, slot: int = 1, remote: str | None = None) -> Claims:
    """Returns what takes tasks as another agent of a working copy."""
    own = open_repository(repo)
    agent = Agent(id=own.agent_id, host="far\x1b[31m", device="cpu", slot=slot)
    return Claims(remote=remote, repo=own, context=Context.default(), agent=agent, method_of=lambda _task: "random")


def test_it_says_who_works_on_what_and_advises_the_rest(run, trained_repo: Path) -> None:
    run("-C", trained_repo, "add-task", "sklearn:digits", "--name", "new")
    with works(trained_repo).take("new"):
        result = run("-C", trained_repo, "status")
        assert "\nWorking: new, agent-1 of far\\x1b[31m: iteration 1, generation 1 by random\n" in result.out
        assert "evolve" not in "".join(advice(result))
        (told,) = run("-C", trained_repo, "status", "--json").json()["working"]
        assert (told["task"], told["slot"], told["host"], told["remote"]) == ("new", 1, "far\x1b[31m", None)
        assert told["since"].endswith("+00:00")
        held = run("-C", trained_repo, "evolve", "--task", "new")
        assert (held.code, held.out) == (4, "")
        assert "new is being improved by agent-1 of far\\x1b[31m: iteration 1" in held.err
        assert "evolve --task new --no-leases" in held.err
    assert "Working" not in run("-C", trained_repo, "status").out


def test_several_who_work_are_told_in_columns_with_what_is_remarkable_of_each(run, trained_repo: Path) -> None:
    with works(trained_repo).take("digits"), works(trained_repo, slot=12).take("digits/parity"):
        lines = run("-C", trained_repo, "status").out.splitlines()
        place = lines.index("Working: 2 agents, all by random")
        title, one, other = lines[place + 1 : place + 4]
        assert title.split() == ["task", "agent", "iteration", "generation", "best", "for"]
        assert one.startswith("  digits         agent-1 of far\\x1b[31m   2          1           ")
        assert other.startswith("  digits/parity  agent-12 of far\\x1b[31m  2          1           ")


def test_a_low_terminal_that_is_watched_shows_the_tasks_that_agents_are_at(
    run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    with works(trained_repo).take("digits"):
        monkeypatch.setenv("LINES", "100")
        whole = run("-C", trained_repo, "status", "--watch").out.splitlines()
        monkeypatch.setenv("LINES", str(len(whole) + 1))
        assert len(run("-C", trained_repo, "status", "--watch").out.splitlines()) == len(whole)
        monkeypatch.setenv("LINES", str(len(whole)))
        low = run("-C", trained_repo, "status", "--watch").out.splitlines()
        once = run("-C", trained_repo, "status").out
    parity = [line for line in whole if line.startswith("  digits/parity ")]
    assert len(parity) == 1
    assert "  1 task more that no agent is at: mu2net tasks" in low
    shown, was = ([line.split() for line in lines if line.startswith("  digits")] for lines in (low, whole))
    assert shown == [line for line in was if line[0] == "digits"] != []
    assert whole[-1].endswith(" UTC; again every 10 s, until Ctrl-C")
    assert parity[0] in once
    assert "Ctrl-C" not in once


def test_it_asks_a_remote_who_works_there_if_it_is_told_to(run, trained_repo: Path, tmp_path: Path) -> None:
    run("-C", trained_repo, "remote", "add", "origin", tmp_path / "shared")
    run("-C", trained_repo, "push")
    run("clone", "shared", "copy")
    claims = works(tmp_path / "copy", remote="origin")
    with claims.take("digits"):
        assert "Working" not in run("-C", trained_repo, "status").out
        result = run("-C", trained_repo, "status", "--remote", "origin")
        assert "\nWorking: digits, agent-1 of far\\x1b[31m, seen at origin: iteration 2," in result.out
    assert run("-C", trained_repo, "status", "--remote", "nowhere").code == 3


def test_it_looks_again_and_again_until_ctrl_c(run, empty_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    periods: list[float] = []

    def pause(seconds: float) -> None:
        periods.append(seconds)
        if len(periods) % 2 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", pause)
    result = run("-C", empty_repo, "status", "--watch")
    assert (result.code, periods, result.err) == (130, [10.0, 10.0], "Interrupted.\n")
    assert result.out.count("System ") == 2
    lines = run("-C", empty_repo, "status", "--watch", "--json").out.splitlines()
    assert [json.loads(line)["working"] for line in lines] == [[], []]
