"""What a pool of two agents costs beside two runs of their own, and what agents cost that watch and have nothing to do.

All are real processes of the command line. Memory is the most that each had, added up, the pool's own process included.
Programs were compiled before: a pool finds every one of them in the cache if no file is added to it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

from measure import Options, Row, megabytes, python_path, times

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.keeping_up import PULL_PERIOD_S, KeepingUp
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.objects import Agent
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import DistantStore, Watched

TASKS = ("digits-0", "digits-1")
SIZES = ("--generations", "2", "--children", "4", "--seed", "1")
IDLE_S = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 0.05


def measure(options: Options) -> list[Row]:
    rows = [requests(options)]
    if options.small:
        return rows
    environ = {
        **os.environ,
        "PYTHONPATH": python_path(),
        "MU2NET_CACHE_DIR": str(options.folder / "cache"),
        "XDG_CONFIG_HOME": str(options.folder),
    }
    work = options.folder / "work"
    _run(environ, "init", str(work), "--preset", "vit-mini")
    for name in TASKS:
        _run(environ, "-C", str(work), "add-task", "sklearn:digits", "--name", name)
    return [*rows, *memory(work, environ), idle(work, environ)]


def requests(options: Options) -> Row:
    """Returns what an agent that watches asks of a remote of 50 tasks while nothing happens."""
    num_tasks = 2 if options.small else 50
    context = replace(Context.default(), environ={}, cwd=options.folder, user_config=None)
    with mock.patch("os.fsync"):
        repo = sample_repository(options.folder / "idle")
        for number in range(num_tasks):
            add_sample_task(repo, f"task-{number}")
            evolve_sample(repo, f"task-{number}", score=0.5)
        remote.add(repo, context, "origin", str(options.folder / "shared"))
        push(repo, context)
    agent = Agent(id=repo.agent_id, host="here", device="cpu")
    claims = Claims(repo=repo, context=context, agent=agent, remote="origin", method_of=lambda _task: "")
    keep_up = KeepingUp(repo, context, "origin")
    watched = Watched(DistantStore)
    before = watched.calls
    with mock.patch("mu2net_core.repo.remotes.remotes.default_open_store", lambda url, *_, **__: watched(url)):
        for _ in range(2):  # the first finds out what is there
            before = watched.calls
            (repo.state / "pulled").unlink(missing_ok=True)
            claims._there._looked = None
            keep_up()
            claims.free("no-such-task")
    calls = watched.calls - before
    said = ", ".join(f"{number} {method}" for method, number in sorted(calls.items()))
    each_s = PULL_PERIOD_S / max(calls.total(), 1)
    return Row(
        case=f"an idle agent: requests in {PULL_PERIOD_S:.0f} s, {num_tasks} tasks",
        floor="none",
        ours=f"{calls.total()} ({said})",
        ratio=f"one in {each_s:.0f} s",
        bar="≤ 1 in 10 s",
    )


def memory(work: Path, environ: Mapping[str, str]) -> Iterator[Row]:
    """Yields what a pool needs, and how many programs it compiled, beside two runs one after the other."""
    runs = [["--task", name] for name in TASKS]
    for run in runs:  # fills the cache, and gives each task a first model
        _peaks(work, environ, [*run, *SIZES])
    for core in sorted(os.sched_getaffinity(0))[:2]:  # a program may be another one on one core
        _peaks(work, environ, [*runs[0], *SIZES], cores=(core,))
    alone = sum(sum(_peaks(work, environ, [*run, *SIZES]).values()) for run in runs)
    _peaks(work, environ, ["--all", "--agents", "2", *SIZES])
    before = _programs(environ)
    together = sum(_peaks(work, environ, ["--all", "--agents", "2", *SIZES]).values())
    yield Row(
        case="memory of 2 agents and their pool",
        floor=f"2 runs of their own: {megabytes(alone)}",
        ours=megabytes(together),
        ratio=times(together / alone),
        bar="≤ 1.2×",
    )
    yield Row(
        case="programs that 2 agents do not find in the cache",
        floor=f"{len(before)} there",
        ours=str(len(_programs(environ) - before)),
        ratio="-",
        bar="0",
    )


def idle(work: Path, environ: Mapping[str, str]) -> Row:
    """Returns the share of a core that two agents and their pool need while there is nothing to do."""
    with _evolving(work, environ, ["--all", "--agents", "2", "--watch", "--until", "0.0001"]) as pool:
        agents = list[int]()
        while len(agents) < 2 or any(_ticks(agent) < TICKS / 2 for agent in agents):  # until all is imported
            time.sleep(LOOK_S)
            agents = _children(pool.pid)
        time.sleep(10)
        before = [_ticks(one) for one in (pool.pid, *agents)]
        time.sleep(IDLE_S)
        used = [after - then for after, then in zip(map(_ticks, (pool.pid, *agents)), before, strict=True)]
        pool.send_signal(signal.SIGTERM)
    shares = [f"{100 * ticks / TICKS / IDLE_S:.2f} %" for ticks in used]
    return Row(
        case=f"2 agents that watch, nothing to do for {IDLE_S:.0f} s: processor",
        floor="none",
        ours=f"{shares[1]} and {shares[2]}, their pool {shares[0]}",
        ratio="-",
        bar="≤ 1 % each",
    )


@contextmanager
def _evolving(
    work: Path, environ: Mapping[str, str], args: Sequence[str], cores: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    before = os.sched_getaffinity(0)
    command = [sys.executable, "-m", "mu2net_cli.main", "-q", "-C", str(work), "evolve", *args]
    try:
        os.sched_setaffinity(0, cores or before)
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, before)
    with process:
        yield process


def _peaks(work: Path, environ: Mapping[str, str], args: Sequence[str], cores: Sequence[int] = ()) -> dict[int, float]:
    """Returns by process the most memory, in MB, of a run and of all processes that it starts."""
    peaks = dict[int, float]()
    with _evolving(work, environ, args, cores) as process:
        while process.poll() is None:
            for one in (process.pid, *_children(process.pid)):
                peaks[one] = max(peaks.get(one, 0.0), _peak_mb(one))
            time.sleep(LOOK_S)
    if process.returncode:
        raise RuntimeError(f"evolve {' '.join(args)} ended with {process.returncode}")
    return peaks


def _children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def _peak_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _programs(environ: Mapping[str, str]) -> set[str]:
    return {path.name for path in (Path(environ["MU2NET_CACHE_DIR"]) / "xla").glob("*-cache")}


def _run(environ: Mapping[str, str], *args: str) -> None:
    subprocess.run([sys.executable, "-m", "mu2net_cli.main", "-q", *args], env=environ, check=True)
