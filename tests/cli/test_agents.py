"""One agent that tells all it does in JSON, and a pool of them: real processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.compiling import QUICK

SMALL = ("--generations", "1", "--children", "1", "--validations", "1")
NO_BLOCKS = {"MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_DEFAULT_NUM_LAYERS": "0"}
"""Models that compile in no time."""


def test_an_agent_prints_a_line_of_json_per_event_and_at_last_what_it_came_to(run, trained_repo: Path) -> None:
    result = run("-C", trained_repo, "evolve", "--all", "--agent", "1", "--agents", "2", "--method", "random", *SMALL)
    assert result.code == 0
    *events, last = map(json.loads, result.out.splitlines())
    assert {event["agent"] for event in events} == {"agent-1"}
    assert [event["task"] for event in events if event["event"] == "IterationFinished"] == ["digits", "digits/parity"]
    assert (last["event"], last["stopped"], len(last["iterations"])) == ("EvolveResult", False, 2)
    commit = load_system(open_repository(trained_repo / ".mu2net")).heads["digits"].commit
    assert commit.run is not None
    assert commit.run.settings["evolve.method"] == "random"


def test_a_pool_shares_the_tasks_among_its_agents(run, trained_repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**QUICK, **NO_BLOCKS}.items():
        monkeypatch.setenv(name, value)
    result = run("-C", trained_repo, "evolve", "--all", "--agents", "2", "--json", *SMALL)
    assert result.code == 0
    found = result.json()
    assert sorted(one["task"] for one in found["iterations"]) == ["digits", "digits/parity"]
    assert {one["agent"] for one in found["iterations"]} <= {"agent-0", "agent-1"}, "who starts late finds all done"
    assert [(one["agent"], one["outcome"], one["failures"]) for one in found["agents"]] == [
        ("agent-0", "done", 0),
        ("agent-1", "done", 0),
    ]
    assert "agent-0: process " in result.err
    assert run("-C", trained_repo, "fsck").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--agents 2 --executor slurm", "Expected local or ray as --executor, got 'slurm'."),
        ("--agents 2 --ray-address h:1", "--ray-address is of a cluster: expected --executor ray with it."),
        ("--agents 2 --executor local --agent-resources gpu=1", "--agent-resources is of a cluster"),
        ("--executor ray --ray-address h:1", "Expected --agents N with --executor ray"),
        ("--agent 0 --agents 2 --executor ray --ray-address h:1", "Expected --agents N with --executor ray"),
        ("--agents 2 --executor ray", "hint: ray start --head says it; inside a job of Ray it is $RAY_ADDRESS."),
        (
            "--agents 2 --executor ray --ray-address auto",
            "Expected the address of a Ray cluster, HOST:PORT, got 'auto'.",
        ),
        ("--agents 2 --executor ray --ray-address h:1 --agent-resources 2", "Expected NAME=NUMBER, got '2'."),
    ],
)
def test_what_no_cluster_can_be_asked_for_is_refused_before_anything_is_done(
    run, empty_repo: Path, options: str, message: str
) -> None:
    result = run("-C", empty_repo, "evolve", "--all", *options.split())
    assert (result.code, result.out) == (2, "")
    assert message in result.err
