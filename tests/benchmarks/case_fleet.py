"""How much faster several agents are: two real ones on two cores beside what a simulator says of them.

The simulator (``fleet.py``) knows how long each iteration takes one agent alone, and says from that how long several
take. It is held here against two agents of a pool with a core each, on the eight character tasks in the sizes of
``parallel``, which uses it for eight. Nothing else should run. ``MU2NET_CACHE_DIR`` may say where programs are kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fleet import alone_s, free_s
from grown import SIZES, SMALL, begin, run_of
from measure import Options, Row, apart, python_path, seconds, times
from quality_tasks import CHARACTERS, SUBJECTS, Subject

import mu2net_core as m


def measure(options: Options) -> list[Row]:
    data = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")).resolve()
    is_small = options.small or not data.is_dir()
    tasks: Sequence[Subject] = [one for one in SUBJECTS if one.name == "digits"] if is_small else CHARACTERS
    if is_small:
        apart(begin, options.folder / "one", tasks, data, True, inline=True)
        m.open(options.folder / "one").evolve(seed=0, **SMALL)
        return _rows(options.folder / "one", options.folder / "one", tasks)
    template = options.folder / "template"
    apart(begin, template, tasks, data, False)
    for who, agents in (("one", 1), ("two", 2)):
        for _ in range(2):  # the first run compiles
            shutil.rmtree(options.folder / who, ignore_errors=True)
            shutil.copytree(template, options.folder / who)
            _agents(options.folder / who, data, agents)
    return _rows(options.folder / "one", options.folder / "two", tasks)


def _rows(one: Path, two: Path, tasks: Sequence[Subject]) -> list[Row]:
    lengths, spans = run_of(one).lengths, _spans(two)
    real = max(end for each in spans.values() for _, end in each)
    real -= min(begin for each in spans.values() for begin, _ in each)
    told = free_s(lengths, 2)
    speed = Row(
        case=f"a pool of 2 on 2 cores, {len(tasks)} tasks, one iteration each",
        floor=f"1 agent on 1 core: {seconds(alone_s(lengths))}; simulated for 2: {seconds(told)}",
        ours=seconds(real),
        ratio=f"{times(alone_s(lengths) / real)} speed-up, {100 * (real / told - 1):+.0f} % of the simulated",
        bar="-",
    )
    within = sum(end - begin for each in spans.values() for begin, end in each)
    whole = sum(max(end for _, end in each) - min(begin for begin, _ in each) for each in spans.values())
    return [
        speed,
        Row(
            case="between their first and last iteration, agents of that pool are",
            floor=f"{seconds(whole)} in all",
            ours=f"in one for {seconds(within)}",
            ratio=f"{100 * within / whole:.1f} %",
            bar="-",
        ),
    ]


def _agents(folder: Path, data: Path, agents: int) -> None:
    """Lets agents of a working copy, with a core each, improve each task once."""
    sizes = [word for name, size in SIZES.items() for word in (f"--{name}", str(size))]
    command = [sys.executable, "-m", "mu2net_cli.main", "-q", "-C", str(folder), "evolve", "--all", "--seed", "0"]
    cores = os.sched_getaffinity(0)
    if len(cores) < agents:
        raise SystemExit(f"case parallel needs {agents} cores, found {len(cores)}")
    environ = {**os.environ, "PYTHONPATH": python_path(), "MU2NET_DATA_DIR": str(data / "tfds")}
    try:
        os.sched_setaffinity(0, sorted(cores)[:agents])
        subprocess.run([*command, *sizes, *(["--agents", str(agents)] if agents > 1 else [])], env=environ, check=True)
    finally:
        os.sched_setaffinity(0, cores)


def _spans(folder: Path) -> dict[int, list[tuple[float, float]]]:
    """Returns by slot when the iterations of an agent began and ended, in seconds."""
    spans: dict[int, list[tuple[float, float]]] = {}
    for entry in m.open(folder).log():
        if entry.run is not None and entry.agent is not None:
            begin, end = (datetime.fromisoformat(one).timestamp() for one in (entry.started_at, entry.finished_at))
            spans.setdefault(entry.agent.slot, []).append((begin, end))
    return spans
