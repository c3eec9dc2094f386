"""Two agents, a core each, on different tasks of one repository against one agent on one core with all the tasks.

Each agent is a process that runs ``mu2net evolve --task``. They begin together once everything is imported, and find
their programs in the cache on the disk. The digits that come with scikit-learn are data enough; the tasks have them
under different names, so that they evolve differently.

Eight agents need more cores than there are. They are replayed: each waits as long as an iteration of the one agent
took, then publishes a model for its task in the repository that all share, in turn for each of the measured iterations.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import datetime
from functools import partial
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from measure import Options, Row, Spent, Timings, apart, interleave_spent, seconds, times

from mu2net_cli.main import main
from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

TASKS = tuple(f"digits-{number}" for number in range(4))
SIZES = ("--generations", "4", "--children", "8", "--seed", "1")
SMALL_SIZES = ("--generations", "1", "--children", "1", "--validations", "1", "--seed", "1")
REPLAYED = 8
NO_BLOCKS = {"MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_DEFAULT_NUM_LAYERS": "0"}


def measure(options: Options) -> list[Row]:
    tasks = TASKS[:2] if options.small else TASKS
    environ = {"MU2NET_CACHE_DIR": str(options.folder / "cache"), "XDG_CONFIG_HOME": str(options.folder)}
    with mock.patch.dict(os.environ, {**environ, **(NO_BLOCKS if options.small else {})}):
        return _measured(options, tasks)


def _measured(options: Options, tasks: Sequence[str]) -> list[Row]:
    template = options.folder / "template"
    _mu2net("init", str(template), "--preset", "vit-mini")
    for name in tasks:
        _mu2net("-C", str(template), "add-task", "sklearn:digits", "--name", name)
    half = len(tasks) // 2
    shares = {"one": [tasks], "two": [tasks[:half], tasks[half:]]}
    runs = {who: lambda share=share: agents(options, share) for who, share in shares.items()}
    if not options.small:
        interleave_spent(runs, 1)  # fills the cache
    measured = interleave_spent(runs, options.pairs)
    took = measured["one"][-1].result
    replayed = [replay(options.folder / f"replay{pair}", took, inline=options.small) for pair in range(options.pairs)]
    return [
        _row("", "wall_s", measured, tasks),
        _row(", processor time", "cpu_s", measured, tasks),
        _replay_row(took, replayed),
    ]


def _row(figure: str, part: str, measured: dict[str, list[Spent]], tasks: Sequence[str]) -> Row:
    found = Timings({who: [getattr(one, part) for one in runs] for who, runs in measured.items()})
    return Row(
        case=f"2 agents on 2 cores, {len(tasks) // 2} tasks each{figure}",
        floor=f"1 agent on 1 core, {len(tasks)} tasks: {seconds(found.median('one'))}",
        ours=f"{seconds(found.median('two'))}{' (the longer)' if figure else ''}",
        ratio=f"{times(found.ratio('one', 'two'))} speed-up",
        bar="-" if figure else "≥ 1.9×",
    )


def _replay_row(took: Sequence[float], wall_s: Sequence[float]) -> Row:
    alone = REPLAYED * sum(took)
    return Row(
        case=f"{REPLAYED} agents, {len(took)} measured iterations each, replayed",
        floor=f"the sum of {REPLAYED * len(took)} iterations: {seconds(alone)}",
        ours=seconds(median(wall_s)),
        ratio=f"{times(alone / median(wall_s))} speed-up",
        bar="≥ 7.5×",
    )


def _iteration_times(folder: Path) -> list[float]:
    """Returns the seconds that the last iteration of each task took."""
    heads = load_system(open_repository(folder / ".mu2net")).heads.values()
    ends = [(head.commit.started_at, head.commit.finished_at) for head in heads]
    return [(datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() for start, end in ends]


def replay(folder: Path, took: Sequence[float], *, inline: bool) -> float:
    """Returns the seconds that eight agents need who each repeat iterations of these lengths for a task of their own.

    ``inline`` lets one of them do it, here.
    """
    repo = sample_repository(folder)
    for number in range(REPLAYED):
        add_sample_task(repo, f"task-{number}")
    if inline:
        began = time.perf_counter()
        _repeat(folder, 0, took)
        return time.perf_counter() - began
    return _at_once([partial(_repeat, folder, number, took) for number in range(REPLAYED)])[0]


def _repeat(folder: Path, number: int, took: Sequence[float]) -> None:
    repo, turn = open_repository(folder / ".mu2net"), number % len(took)
    for place, seconds_ in enumerate([*took[turn:], *took[:turn]]):
        time.sleep(seconds_)
        evolve_sample(repo, f"task-{number}", score=0.5 + place / 100)


def agents(options: Options, shares: Sequence[Sequence[str]]) -> Spent:
    """Returns what agents spent, one for each share of the tasks: the wall time of all, the longest processor time.

    The result are the seconds of each iteration.
    """
    work = options.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(options.folder / "template", work)
    sizes = SMALL_SIZES if options.small else SIZES
    commands = [
        ["-C", str(work), "evolve", *(x for name in share for x in ("--task", name)), *sizes] for share in shares
    ]
    if options.small:
        spent = [apart(agent, command, inline=True) for command in commands]
        found = Spent(wall_s=sum(one[0] for one in spent), cpu_s=max(one[1] for one in spent), peak_mb=0)
    else:
        found = _together(commands)
    return replace(found, result=_iteration_times(work))


def _together(commands: Sequence[Sequence[str]]) -> Spent:
    """Runs each command line in a process with a core of its own, all at the same time."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < len(commands):
        raise SystemExit(f"case agents needs {len(commands)} cores, found {len(cores)}")
    wall_s, spent = _at_once([partial(agent, command) for command in commands], cores)
    return Spent(wall_s=wall_s, cpu_s=max(one[1] for one in spent), peak_mb=0)


def _at_once(functions: Sequence[Callable[[], Any]], cores: Sequence[int] = ()) -> tuple[float, list[Any]]:
    """Returns the seconds that functions take, each in a process of its own with all imported, and their results.

    With ``cores`` each has one of them to itself, and so have all threads it starts.
    """
    context = get_context("spawn")
    ready, own = context.Barrier(len(functions) + 1), context.Queue()
    for core in cores[: len(functions)]:
        own.put(core)
    initializer = partial(_warm_up, ready, own if cores else None)
    with ProcessPoolExecutor(len(functions), context, initializer) as pool:
        futures = [pool.submit(function) for function in functions]
        ready.wait()
        began = time.perf_counter()
        results = [future.result() for future in futures]
        return time.perf_counter() - began, results


def _warm_up(ready: Any, cores: Any) -> None:
    if cores is not None:
        os.sched_setaffinity(0, {cores.get()})  # before anything starts threads
    import jax
    import sklearn.datasets  # noqa: F401

    import mu2net_cli.commands.growing.evolve  # noqa: F401
    import mu2net_core.api.evolving.evolve  # noqa: F401

    jax.devices()
    ready.wait()


def agent(command: Sequence[str]) -> tuple[float, float]:
    """Returns the wall and processor seconds that one command line took in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    _mu2net(*command)
    return time.perf_counter() - began, time.process_time() - cpu


def _mu2net(*command: str) -> None:
    with redirect_stdout(StringIO()) as said:
        code = main(("--quiet", *command))
    if code:
        raise RuntimeError(f"mu2net {' '.join(command)} ended with {code}: {said.getvalue()}")
