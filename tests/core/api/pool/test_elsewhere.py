"""An agent on a machine that is not its pool's: its working copy, its cores, and who passes on what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.turns import Shared
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.iterations.recorded import digest_of, recorded_preset
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.pool.elsewhere import agents_folder, drop_refused, working_copy
from mu2net_core.api.pool.home import Home, home_of
from mu2net_core.api.pool.job import Job
from mu2net_core.api.pool.own_cores import own_cores
from mu2net_core.api.pool.process import Said
from mu2net_core.api.pool.resources import AgentResources
from mu2net_core.api.pool.sink import Wish
from mu2net_core.api.pool.supervisor import Order, supervise
from mu2net_core.api.sharing.push import push
from mu2net_core.engine.iteration import IterationState
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Agent
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.leases import Held
from mu2net_core.search import SearchState, start
from mu2net_core.testing.building.iterating import begun_at
from mu2net_core.testing.building.samples import evolve_sample

# Its working copy


@pytest.fixture
def node(context: Context, tmp_path: Path) -> Context:
    """Returns the context of a process on another machine."""
    return replace(context, host="node-7", environ={"MU2NET_CACHE_DIR": str(tmp_path / "node-cache")})


def home(repo: Repository, context: Context, slot: int = 0) -> Home:
    return home_of(repo, context, "origin", slot)


def test_an_agent_is_the_same_wherever_it_goes_on_and_others_of_its_pool_are_others(
    ann: Repository, bob: Repository, context: Context
) -> None:
    assert home(ann, context) == home(ann, context)
    agents = [home(ann, context, 0).agent, home(ann, context, 1).agent, home(bob, context, 0).agent, ann.agent_id]
    assert len(set(agents)) == 4


def test_an_agent_has_the_settings_of_its_pool_and_the_machine_those_of_its_own(
    ann: Repository, context: Context, node: Context
) -> None:
    chosen = {"evolve.children": 3, "machine.resident_bytes": 5, "data.a": "/data/a"}
    ann.update_config(lambda config: replace(config, settings={**config.settings, **chosen}))
    environ = {"MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_EVOLVE_CHILDREN": "4", "MU2NET_LIMITS_REF_BYTES": "9"}
    with working_copy(home(ann, replace(context, environ=environ)), node) as repo:
        repo.update_config(lambda config: config.with_setting("machine.resident_bytes", 7))
    with working_copy(home(ann, replace(context, environ=environ)), node) as repo:
        found = dict(repo.config.settings)
    assert found == {
        "data.a": "/data/a",
        "evolve.children": 4,
        "machine.resident_bytes": 7,
        "space.num_layers": [0],
    }


def test_a_working_copy_is_kept_and_begins_with_all_that_was_shared_meanwhile(
    ann: Repository, context: Context, node: Context
) -> None:
    with working_copy(home(ann, context), node) as repo:
        (repo.state / "unfinished").write_text("generation 3")
        assert repo.agent_id == home(ann, context).agent
    newest = evolve_sample(ann, "a", score=0.9, seed=9).commit
    push(ann, context)
    with working_copy(home(ann, context), node) as repo:
        assert repo.refs.head("a").commit == newest
        assert (repo.state / "unfinished").read_text() == "generation 3"


def test_what_an_earlier_pool_left_there_and_does_not_fit_this_one_begins_anew(
    ann: Repository, context: Context, node: Context
) -> None:
    """Nobody is there to decide; what fits goes on."""
    warnings = list[str]()
    with working_copy(home(ann, context), node) as repo:
        for task in ("a", "b"):
            Workspace.of(repo, task, 1).save(interrupted_at(repo, task))
        drop_refused(repo, node, None, EvolveOptions(slot=1, agents=2))
        assert Workspace.of(repo, "a", 1).load() is not None
        told = replace(node, warn=warnings.append)
        drop_refused(repo, told, ["a", "gone"], EvolveOptions(slot=1, agents=2, children=5))
        assert [Workspace.of(repo, task, 1).load() is None for task in ("a", "b")] == [True, False]
    assert warnings == [
        "a begins anew here, as the unfinished iteration of before does not go on: children 3 then, 5 now"
    ]


def interrupted_at(repo: Repository, task: str) -> IterationState:
    preset = recorded_preset("vit-mini", {"evolve.children": 3})
    return begun_at(
        repo,
        task,
        slot=1,
        generations=preset.training.generations,
        children=3,
        preset="vit-mini",
        changed={"evolve.children": 3},
        settings=digest_of(preset),
        search=SearchState(population=start(load_system(repo), task)),
    )


def test_who_was_taken_for_dead_keeps_its_working_copy_and_its_successor_has_another(
    ann: Repository, context: Context, node: Context
) -> None:
    with working_copy(home(ann, context), node) as before, working_copy(home(ann, context), node) as after:
        assert before.path != after.path
        assert before.agent_id == after.agent_id
    with working_copy(home(ann, context), node) as again:
        assert again.path == before.path


def test_a_remote_that_the_machine_does_not_see_is_told_and_nothing_is_left(
    ann: Repository, context: Context, node: Context, tmp_path: Path
) -> None:
    (tmp_path / "shared").rename(tmp_path / "not-mounted")
    with pytest.raises(NotFoundError, match=r"node-7 finds no repository at .*/shared") as caught:
        working_copy(home(ann, context), node).__enter__()
    assert "a remote that all of them reach" in str(caught.value.hint)
    assert [file.suffix for file in agents_folder(node).iterdir()] == [".lock"]


def test_a_remote_that_is_away_for_now_keeps_nobody_from_what_he_knows(
    ann: Repository, context: Context, node: Context, tmp_path: Path
) -> None:
    with working_copy(home(ann, context), node):
        pass
    (tmp_path / "shared").rename(tmp_path / "away")
    warned = list[str]()
    with working_copy(home(ann, context), replace(node, warn=warned.append)) as repo:
        assert repo.refs.head("a") is not None
    assert len(warned) == 1
    assert warned[0].startswith("it begins with what it knew before: ")


def turns_of(repo: Repository, slot: int, goals: dict[str, int]) -> Shared:
    agent = Agent(id=repo.agent_id, host="node", device="cpu", slot=slot)
    claims = Claims(
        repo=repo, context=Context.default(), agent=agent, remote="origin", method_of=lambda _task: "random"
    )
    options = EvolveOptions(slot=slot, agents=2)
    return Shared(claims=claims, tasks=tuple(goals), asked=options, seed=0, goals=goals)


def test_an_agent_that_goes_on_elsewhere_waits_for_no_lease_of_its_own(
    ann: Repository, context: Context, node: Context, tmp_path: Path
) -> None:
    other = replace(node, environ={"MU2NET_CACHE_DIR": str(tmp_path / "other-cache")})
    goals = dict.fromkeys("a", 9)
    with working_copy(home(ann, context), node) as before, working_copy(home(ann, context), other) as after:
        first = turns_of(before, 0, goals).next()
        assert first is not None
        with first.claim():
            successor = turns_of(after, 0, goals).next()
            assert successor is not None
            with successor.claim():
                pass
    with working_copy(home(ann, context, 1), other) as another:
        held = turns_of(another, 1, goals).claims._there.telling(another.objects.commit(another.refs.head("a").commit))
        assert held is not None
        assert not isinstance(held.acquire("a", iteration=1, method="random"), Held)


def test_a_task_that_agents_elsewhere_brought_to_its_goal_is_not_improved_once_more(
    ann: Repository, context: Context, node: Context
) -> None:
    iteration = ann.objects.commit(ann.refs.head("a").commit).iteration
    with working_copy(home(ann, context), node) as repo:
        turns = turns_of(repo, 0, {"a": iteration + 1})
        evolve_sample(ann, "a", score=0.9, seed=9)
        push(ann, context)
        assert turns.next() is None
        assert turns.claims._here.living() == (), "it holds nothing"


# Its cores


HOLDS = """
import sys
from mu2net_core.api.pool.own_cores import own_cores
with own_cores(int(sys.argv[1]), range(90_000, 90_004)) as cores:
    print(*cores, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="cores can only be set aside on Linux")
def test_agents_that_a_cluster_starts_on_one_machine_have_cores_of_their_own_until_they_die() -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    command = [sys.executable, "-c", HOLDS, "2"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environ, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().split() == ["90000", "90001"]
        with own_cores(1.0, range(90_000, 90_004)) as mine, own_cores(2.0, range(90_000, 90_004)) as shared:
            assert mine == (90_002,)
            assert shared == (90_003, 90_000), "there are no two left"
        other.kill()
    with own_cores(0.5, range(90_000, 90_004)) as mine, own_cores(0.0, range(90_000, 90_004)) as none:
        assert (mine, none) == ((90_000,), ())


# Who passes on what it says


AGENT = """
import json, os, sys
job = json.load(open(sys.argv[1]))
print(json.dumps({"cores": len(os.sched_getaffinity(0)), "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}), flush=True)
share = os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION")
print(f"share {share} home {job['home']['name']}", file=sys.stderr, flush=True)
"""
STOPS = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); print('ready', flush=True)\n"
STOPS += "while True: signal.pause()\n"


@pytest.fixture
def supervised(node: Context, tmp_path: Path) -> Callable[..., tuple[int, list[Said]]]:
    """Returns what supervises an agent that does what is told ``then``, and returns how it ended and what it said."""

    def run(then: str = "", wish: Wish = "go", **needed: float) -> tuple[int, list[Said]]:
        script, heard = tmp_path / "agent.py", list[Said]()
        script.write_text(AGENT + then)
        job = Job(
            tasks=None, options=EvolveOptions(slot=1, agents=2), home=Home(name="nowhere", agent="a" * 32, url="u")
        )
        order = Order(job=job, program=("-S", str(script)), resources=AgentResources(**needed))

        def tell(said: Any) -> Wish:
            heard.extend(said)
            return wish if any(one.text == "ready" for one in heard) else "go"

        return supervise(order, tell, node), heard

    return run


def test_a_supervisor_passes_on_where_its_agent_runs_what_it_says_and_how_it_ends(supervised: Any) -> None:
    code, heard = supervised("sys.exit(3)", gpu=0.5)
    assert code == 3
    start, *middle, last = heard
    assert (start.kind, start.text, len(start.cores), last.kind) == ("start", "node-7", 1, "end")
    by_kind = {one.kind: one.text for one in middle}
    assert json.loads(by_kind["event"]) == {"cores": 1, "gpu": os.environ.get("CUDA_VISIBLE_DEVICES")}
    assert by_kind["remark"] == "share 0.450 home nowhere"


def test_an_agent_that_asked_for_no_gpu_sees_none(supervised: Any) -> None:
    _, heard = supervised()
    (event,) = [one.text for one in heard if one.kind == "event"]
    assert json.loads(event)["gpu"] == ""


@pytest.mark.parametrize(("wish", "code"), [("stop", 130), ("kill", -9)])
def test_what_is_wished_of_an_agent_reaches_it(supervised: Any, wish: Wish, code: int) -> None:
    assert supervised(STOPS, wish)[0] == code


def test_an_agent_whose_supervisor_cannot_pass_anything_on_is_ended(node: Context, tmp_path: Path) -> None:
    script, started = tmp_path / "agent.py", list[int]()
    script.write_text("import sys; sys.stdin.read()")
    job = Job(tasks=None, options=EvolveOptions(), home=Home(name="nowhere", agent="a" * 32, url="u"))

    def tell(said: Any) -> Wish:
        started.extend(one.code for one in said)
        raise ConnectionError("the driver is gone")

    order = Order(job=job, program=("-S", str(script)), resources=AgentResources())
    with pytest.raises(ConnectionError):
        supervise(order, tell, node)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
