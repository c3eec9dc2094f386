"""Two real Ray nodes on this machine, one of which is killed while an agent on it is in the middle of an iteration.

Ray is no part of the usual environment: ``.ci/run`` installs what ``requirements-cluster.txt`` lists and runs this.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.sharing import remote
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.compiling import QUICK
from mu2net_core.testing.servers.servers import free_ports

pytestmark = [
    pytest.mark.skipif(
        find_spec("ray") is None,
        reason="ray is not installed; to run this: pip install 'mu2net[ray]' && pytest -n 0 tests/test_ray.py",
    ),
    pytest.mark.timeout(900),
]

ROOT = Path(__file__).parents[1]
TASKS = ("digits", "digits/parity")
OURS = re.compile(r"mu2net_cli|mu2net_core|ray::(carry_out|Sink)")
"""What is in the command line of an agent, of its supervisor, and of what hears them."""
ASKED = ("--iterations", "1", "--generations", "20", "--children", "1", "--validations", "1", "--seed", "1")
NODES = """
import json, sys
from ray.cluster_utils import Cluster
folder, gcs, dashboard = sys.argv[1], *map(int, sys.argv[2:])
cache = lambda name: {"MU2NET_CACHE_DIR": f"{folder}/{name}"}  # what a machine has of its own
small = {"num_cpus": 2, "object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1", "include_dashboard": False}
head = {**small, "gcs_server_port": gcs, "dashboard_port": dashboard, "env_vars": cache("head")}
cluster = Cluster(True, head_node_args=head)
second = cluster.add_node(**small, env_vars=cache("second"))
raylet = lambda node: node.all_processes["raylet"][0].process.pid
print(json.dumps([cluster.address, raylet(cluster.head_node), raylet(second)]), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@dataclass(frozen=True)
class Nodes:
    """A cluster of two nodes, and the processes that are all there is to either of them."""

    address: str
    head: int
    second: int
    environ: dict[str, str]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Returns a folder with a short name: Ray's sockets lie in it."""
    made = Path(tempfile.mkdtemp(prefix="mr-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def nodes(folder: Path) -> Iterator[Nodes]:
    before = notes_of_ray()
    (folder / "home").mkdir()
    (folder / "tmp").mkdir()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MU2NET_", "RAY_"))},
        **QUICK,
        "HOME": str(folder / "home"),
        "RAY_TMPDIR": str(folder / "tmp"),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else nodes would leave 127.0.0.1
        "RAY_AUTH_MODE": "disabled",
        "RAY_worker_niceness": "0",  # else agents would wait for whatever else this machine does
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    quiet = {**environ, "RAY_USAGE_STATS_ENABLED": "0"}
    with free_ports(2) as ports, (folder / "nodes.log").open("wb") as log:
        command = [sys.executable, "-c", NODES, str(folder), *map(str, ports)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=quiet) as process:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, (folder / "nodes.log").read_text()
            try:
                yield Nodes(*json.loads(told), environ=environ)
            finally:
                left = psutil.Process(process.pid).children(recursive=True)
                process.communicate()
                end(left)
    assert notes_of_ray() <= before, "Ray noted something outside of its folder"


def notes_of_ray() -> set[str]:
    """Returns what lies where Ray keeps its notes unless it is told otherwise."""
    places = [*Path(tempfile.gettempdir()).glob("ray"), *Path("~").expanduser().glob(".ray*")]
    return {str(file) for place in places for file in (place, *place.glob("*"))}


def end(processes: list[psutil.Process]) -> None:
    """Ends processes at once, as a machine does that loses its power."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    while any(map(is_alive, processes)):
        time.sleep(0.02)


def is_alive(process: psutil.Process) -> bool:
    """Returns whether a process runs: what nobody took note of yet, as of the end of a raylet, does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def below(raylet: int) -> list[psutil.Process]:
    """Returns all processes of a node."""
    node = psutil.Process(raylet)
    return [node, *node.children(recursive=True)]


def processes_of(folder: Path) -> list[str]:
    """Returns the command lines of all that was started in this test's world and is still there."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("RAY_TMPDIR") == str(folder / "tmp") and is_alive(process):
                found.append(" ".join(process.cmdline()))
    return found


class Told:
    """What a pool tells, as it tells it."""

    def __init__(self, file: Path, pool: subprocess.Popen[bytes], log: Path) -> None:
        self._file, self._pool, self._log = file, pool, log

    def all(self, name: str = "", agent: str | None = None) -> list[dict[str, Any]]:
        lines = self._file.read_bytes().split(b"\n")[:-1] if self._file.exists() else []
        events = map(json.loads, lines)
        return [one for one in events if one["event"].startswith(name) and agent in {None, one["agent"]}]

    def wait(self, what: Callable[[], Any]) -> Any:
        """Returns what ``what`` does as soon as it is something; fails when the pool ends before."""
        while not (found := what()):
            assert self._pool.poll() is None, self._log.read_text()
            time.sleep(0.02)
        return found


@pytest.fixture
def work(folder: Path) -> Path:
    """Returns a working copy of two tasks, and a remote that is empty yet."""
    context = Context.default()
    init(folder / "work", context, preset="vit-mini")
    repo = open_repo(folder / "work", context)
    for task in TASKS:
        add_task(repo, context, f"sklearn:{task}")
    remote.add(repo, context, "origin", str(folder / "shared"))
    return folder / "work"


def test_what_a_killed_node_was_at_is_done_on_the_other_and_nothing_of_ray_is_left(
    nodes: Nodes, work: Path, folder: Path
) -> None:
    pool_environ = {**nodes.environ, "MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_DEFAULT_NUM_LAYERS": "0"}
    mu2net = [sys.executable, "-m", "mu2net_cli.main", "-C", str(work)]
    chosen = ["--executor", "ray", "--ray-address", nodes.address, "--agent-resources", "cpu=2"]
    command = [*mu2net, "evolve", "--all", "--agents", "2", *chosen, *ASKED, "--events", str(folder / "events")]
    log, printed = folder / "pool.log", folder / "printed"
    with (
        log.open("wb") as err,
        printed.open("wb") as out,
        subprocess.Popen(command, env=pool_environ, stdout=out, stderr=err) as pool,
    ):
        told = Told(folder / "events", pool, log)
        told.wait(lambda: len(told.all("AgentStarted")) == 2)
        node = below(nodes.second)
        (victim,) = [one for one in told.all("AgentStarted") if one["process"] in {each.pid for each in node}]
        told.wait(lambda: told.all("GenerationFinished", victim["agent"]))
        end(below(nodes.second))
        assert told.all("IterationFinished", victim["agent"]) == [], "it was killed in the middle"
        assert pool.wait() == 0, log.read_text()

    (lost,) = told.all("AgentFailed")
    assert (lost["agent"], lost["failures"], lost["again_s"]) == (victim["agent"], 1, 0)
    assert "was lost" in lost["reason"]
    again = told.all("AgentStarted", victim["agent"])
    assert [one["process"] == victim["process"] for one in again] == [True, False]
    assert sorted(one["task"] for one in told.all("IterationFinished")) == list(TASKS)
    ends = [one["event"] for one in told.all("Agent") if one["event"] != "AgentRemark"]
    assert ends == ["AgentStarted", "AgentStarted", "AgentEnded", "AgentFailed", "AgentStarted", "AgentEnded"], (
        "two agents of two cores each never are on a node of two"
    )
    assert [one["stopped"] for one in told.all("AgentEnded")] == [False, False]

    lines = printed.read_text().splitlines()
    assert sorted(line.split(": ")[0] for line in lines) == list(TASKS), "Ray prints nothing of its own"

    for copy in (work / ".mu2net", folder / "shared"):
        heads = load_system(open_repository(copy)).heads
        assert [heads[task].commit.iteration for task in TASKS] == [1, 1]
        assert {heads[task].commit.agent.slot for task in TASKS} == {0, 1}
        settings = [heads[task].commit.run.settings for task in TASKS]
        assert [one["space.num_layers"] for one in settings] == [(0,), (0,)], "agents have the settings of their pool"
    context = Context.default()
    assert fsck(open_repo(folder / "shared", context), context).problems == ()
    assert list((folder / "shared").glob("leases/**/*.json")) == []

    left = [line for line in processes_of(folder) if OURS.search(line)]
    assert left == [], "agents and supervisors end with their pool"
    copies = [file for name in ("head", "second") for file in (folder / name / "agents").glob("*/.mu2net")]
    assert len(copies) == 3, "the second attempt began in a working copy of its own"
    assert list((folder / "home").rglob("*ray*")) == []
    assert list((folder / "tmp").rglob("usage_stats.json")) == [], "Ray tells nobody of itself"
