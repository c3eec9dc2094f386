"""Two agents, a core each, on different tasks of one repository against one agent on one core with all the tasks.

Each agent is a process that runs ``mu2net evolve --task``. They begin together once everything is imported, and find
their programs in the cache on the disk. The digits that come with scikit-learn are data enough; the tasks have them
under different names, so that they evolve differently.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing import get_context
from typing import Any
from unittest import mock

from measure import Options, Row, Spent, Timings, apart, interleave_spent, seconds, times

from mu2net_cli.main import main

TASKS = tuple(f"digits-{number}" for number in range(4))
SIZES = ("--generations", "3", "--children", "4", "--seed", "1")
SMALL_SIZES = ("--generations", "1", "--children", "1", "--validations", "1", "--seed", "1")
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
    return [_row("", "wall_s", measured, tasks), _row(", processor time", "cpu_s", measured, tasks)]


def _row(figure: str, part: str, measured: dict[str, list[Spent]], tasks: Sequence[str]) -> Row:
    found = Timings({who: [getattr(one, part) for one in runs] for who, runs in measured.items()})
    return Row(
        case=f"2 agents on 2 cores, {len(tasks) // 2} tasks each{figure}",
        floor=f"1 agent on 1 core, {len(tasks)} tasks: {seconds(found.median('one'))}",
        ours=f"{seconds(found.median('two'))}{' (the longer)' if figure else ''}",
        ratio=f"{times(found.ratio('one', 'two'))} speed-up",
        bar="-" if figure else "≥ 1.9×",
    )


def agents(options: Options, shares: Sequence[Sequence[str]]) -> Spent:
    """Returns what agents spent, one for each share of the tasks: the wall time of all, the longest processor time."""
    work = options.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(options.folder / "template", work)
    sizes = SMALL_SIZES if options.small else SIZES
    commands = [
        ["-C", str(work), "evolve", *(x for name in share for x in ("--task", name)), *sizes] for share in shares
    ]
    if options.small:
        spent = [apart(agent, command, inline=True) for command in commands]
        return Spent(wall_s=sum(one[0] for one in spent), cpu_s=max(one[1] for one in spent), peak_mb=0)
    return _together(commands)


def _together(commands: Sequence[Sequence[str]]) -> Spent:
    """Runs each command line in a process with a core of its own, all at the same time."""
    cores, context = sorted(os.sched_getaffinity(0)), get_context("spawn")
    if len(cores) < len(commands):
        raise SystemExit(f"case agents needs {len(commands)} cores, found {len(cores)}")
    ready, told = context.Barrier(len(commands) + 1), context.Queue()
    processes = [
        context.Process(target=_pinned, args=(core, command, ready, told))
        for core, command in zip(cores, commands, strict=False)
    ]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    spent = [told.get() for _ in processes]
    wall_s = time.perf_counter() - began
    for process in processes:
        process.join()
    return Spent(wall_s=wall_s, cpu_s=max(one[1] for one in spent), peak_mb=0)


def _pinned(core: int, command: Sequence[str], ready: Any, told: Any) -> None:
    os.sched_setaffinity(0, {core})
    import jax
    import sklearn.datasets  # noqa: F401

    import mu2net_cli.commands.evolve  # noqa: F401
    import mu2net_core.api.evolve  # noqa: F401

    jax.devices()
    ready.wait()
    told.put(agent(command))


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
