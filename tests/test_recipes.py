"""The recipes of docs/parallel.md, as they stand there: run by the shell, with what they call played by others.

``mu2net`` and ``ssh`` are played by scripts that note how they were called; each call is then given to the real command
line's parser. ``MU2NET_TEST_PROFILE=nightly`` runs the array of Slurm with the real program, too.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from mu2net_cli.parsing.group import load_verb
from mu2net_core.api.context import Context
from mu2net_core.api.pool.cluster import Cluster
from mu2net_core.api.pool.resources import parse_resources
from mu2net_core.api.pool.restarts import Restarts
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.testing.building.compiling import QUICK

ROOT = Path(__file__).parents[1]
NIGHTLY = os.environ.get("MU2NET_TEST_PROFILE") == "nightly"
PAGE = (ROOT / "docs" / "parallel.md").read_text()
MU2NET = """#!/bin/sh
printf '%s: %s\\n' "${PWD##*/}" "mu2net $*" >> "$CALLS"
case " $* " in
  *" status "*) test -d "$2/.mu2net" ;;
  *" clone "*) mkdir -p "$3/.mu2net" ;;
  *" evolve "*) test -z "$WAITS" || { trap 'exit 130' TERM; echo begun; while :; do sleep 600 & wait $!; done; } ;;
esac
"""
SSH = """#!/bin/sh
mkdir -p "$HOSTS/$1" && cd "$HOSTS/$1" && shift && /bin/sh -c "$* wait"
"""
SKY = """#!/bin/sh
printf 'sky %s\\n' "$*" >> "$CALLS"
"""


def blocks(title: str) -> list[str]:
    """Returns the blocks of code under a heading."""
    (part,) = re.findall(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"```\w*\n(.*?)```", part, flags=re.DOTALL)


def parsed(call: str) -> dict[str, Any]:
    """Returns what the real command line understands of a call; fails if it does not."""
    words = shlex.split(call)[1:]
    words = words[2:] if words[0] == "-C" else words
    return load_verb(words[0]).make_context(words[0], words[1:]).params


class World:
    """A folder with programs that are played, and what they were told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "calls"
        self.environ = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder / "home")}
        self.environ |= {"CALLS": str(self.log), "HOSTS": str(folder / "hosts"), "WAITS": ""}
        for name, text in {"mu2net": MU2NET, "ssh": SSH, "sky": SKY}.items():
            self.add(name, text)
        (folder / "here").mkdir()

    def add(self, name: str, text: str) -> None:
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)

    def run(self, script: str, **environ: str) -> None:
        subprocess.run(
            ["/bin/bash", "-euc", script], check=True, cwd=self.folder / "here", env=self.environ | environ, timeout=120
        )

    def calls(self) -> list[str]:
        found = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_command_of_the_page_is_one(world: World) -> None:
    lines = re.findall(
        r"^ *(mu2net [^#\n]*?)(?: [<>].*)?$", "\n".join(re.findall(r"```(.*?)```", PAGE, re.DOTALL)), re.M
    )
    assert len(lines) > 8
    for line in lines:
        asked = parsed(line.replace("\\", ""))
        if asked.get("ray_address"):
            assert Cluster(address=asked["ray_address"]).address
        if asked.get("agent_resources"):
            assert parse_resources(asked["agent_resources"]).gpu == 1


def test_the_loop_over_ssh_starts_a_pool_on_every_host_and_clones_once(world: World) -> None:
    (loop,) = blocks("ssh")
    status, clone = "mu2net -C work status", "mu2net clone s3://bucket/system work"
    evolve = "mu2net -C work evolve --all --watch --agents 2"
    world.run(loop)
    calls = world.calls()
    assert sorted(calls) == sorted(f"{host}: {call}" for host in ("ann", "bob") for call in (status, clone, evolve))
    assert (parsed(evolve)["watch"], parsed(evolve)["agents"], parsed(clone)["folder"]) == (True, 2, Path("work"))
    world.run(loop)
    assert sorted(world.calls()) == sorted(f"{host}: {call}" for host in ("ann", "bob") for call in (status, evolve))


def options_of(script: str) -> dict[str, str]:
    lines = re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", script, flags=re.MULTILINE)
    assert len(lines) == script.count("#SBATCH")
    return dict(lines)


def terminated(script: Path, environ: Mapping[str, str]) -> int:
    """Returns how a script ends that gets SIGTERM, as ``--signal=B:`` sends it, once its agent has begun."""
    with subprocess.Popen(["/bin/bash", script], stdin=subprocess.DEVNULL, stdout=-1, env=dict(environ)) as batch:
        assert batch.stdout is not None
        assert batch.stdout.readline() != b""
        batch.send_signal(signal.SIGTERM)
        return batch.wait(timeout=240)


def test_the_array_of_slurm_gives_each_task_a_working_copy_and_the_signal_to_its_agent(world: World) -> None:
    (script,) = blocks("Slurm")
    assert script.startswith("#!/bin/bash\n")
    options = options_of(script)
    assert set(options) == {"array", "cpus-per-task", "gpus-per-task", "time", "requeue", "signal"}
    assert re.fullmatch(r"B:TERM@\d+", options["signal"]), "without B: a script without srun gets no signal"
    file = world.folder / "agents.sh"
    file.write_text(script)
    environ = {**world.environ, "SLURM_ARRAY_TASK_ID": "3", "WAITS": "yes"}
    assert terminated(file, environ) == 130, "it is the agent that got it"
    copy = f"{world.environ['HOME']}/agents/3"
    evolve = f"mu2net -C {copy} evolve --all --watch --agent 0"
    calls = [call.partition(": ")[2] for call in world.calls()]
    assert calls == [f"mu2net -C {copy} status", f"mu2net clone s3://bucket/system {copy}", evolve]
    assert parsed(evolve)["agent"] == 0
    assert terminated(file, environ) == 130
    assert [call.partition(": ")[2] for call in world.calls()] == [f"mu2net -C {copy} status", evolve]


if NIGHTLY:

    def test_the_array_of_slurm_runs_with_the_real_program(world: World) -> None:
        (script,) = blocks("Slurm")
        context, work, shared = Context.default(), world.folder / "work", world.folder / "shared"
        init(work, context, preset="vit-mini")
        repo = open_repo(work, context)
        add_task(repo, context, "sklearn:digits")
        remote.add(repo, context, "origin", str(shared))
        push(repo, context)
        world.add("mu2net", f'#!/bin/sh\nexec {sys.executable} -m mu2net_cli.main "$@"\n')
        file = world.folder / "agents.sh"
        file.write_text(script.replace("s3://bucket/system", str(shared)).replace("mu2net clone", "mu2net -q clone"))
        environ = {**os.environ, **QUICK, **world.environ, "PYTHONPATH": str(ROOT), "SLURM_ARRAY_TASK_ID": "3"}
        assert terminated(file, environ) == 130


def manifest() -> dict[str, Any]:
    (text, *_) = blocks("Kubernetes")
    return yaml.safe_load(text)


def test_the_job_of_kubernetes_is_what_its_parts_need_of_each_other(world: World) -> None:
    spec = manifest()["spec"]
    pod = spec["template"]["spec"]
    assert spec["completionMode"] == "Indexed", "backoffLimitPerIndex needs it"
    assert (pod["restartPolicy"], spec["podReplacementPolicy"]) == ("Never", "Failed"), "podFailurePolicy needs both"
    ignored, failed = spec["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    again = [code for code in range(1, 131) if Restarts().failed(code).wait_s is None]
    assert (failed["action"], failed["onExitCodes"]) == ("FailIndex", {"operator": "In", "values": again})
    (container,) = pod["containers"]
    world.run(shlex.join([*container["command"], *container["args"]]))
    evolve = "mu2net -C work evolve --all --watch --agent 0"
    assert world.calls() == ["here: mu2net clone s3://bucket/system work", f"here: {evolve}"]
    assert parsed(evolve)["agent"] == 0


@pytest.mark.skipif(
    find_spec("kubernetes_validate") is None,
    reason="to check the manifest: pip install kubernetes-validate && pytest -n 0 tests/test_recipes.py",
)
def test_the_job_of_kubernetes_fits_its_schema() -> None:
    import kubernetes_validate

    kubernetes_validate.validate(manifest(), "1.31", strict=True)
    for wrong in ({"backofLimitPerIndex": 5}, {"completions": "8"}):
        job = manifest()
        job["spec"] |= wrong
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(job, "1.31", strict=True)


SKYPILOT = {
    "": {"name", "num_nodes", "resources", "setup", "run", "envs", "secrets", "file_mounts", "workdir", "config"},
    "resources": {"cpus", "memory", "accelerators", "use_spot", "job_recovery", "disk_size", "infra", "image_id"},
    "job_recovery": {"strategy", "max_restarts_on_errors", "recover_on_exit_codes"},
}
"""What SkyPilot 0.14 takes, of which this stands in for its own loader: that one needs fifty packages."""


def test_the_job_of_skypilot_is_what_it_takes_and_each_agent_is_one(world: World) -> None:
    text, loop = blocks("SkyPilot")
    job = yaml.safe_load(text)
    resources = job["resources"]
    for name, part in {"": job, "resources": resources, "job_recovery": resources["job_recovery"]}.items():
        assert set(part) <= SKYPILOT[name]
    world.run(job["run"])
    evolve = "here: mu2net -C work evolve --all --watch --agent 0"
    clone = "here: mu2net clone s3://bucket/system work"
    assert world.calls() == ["here: mu2net -C work status", clone, evolve]
    world.run(loop)
    launches = world.calls()
    assert len(launches) == 4
    assert launches[0] == "sky jobs launch --yes --detach-run --name agent-1 agent.yaml"
