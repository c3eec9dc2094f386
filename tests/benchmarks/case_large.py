"""ViT-B and ViT-L in one generation of a whole ``evolve``, against a hand-written Flax loop (``floor_flax``).

Every layer is trained and nothing mutates, so that both train the same model, batch and images. Both run in a process
of their own, whose largest memory is compared; a step is timed where nothing is compiled any more. Examples and steps
are few: what a step costs does not depend on how many there are.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import floor_flax
import jax
from measure import Options, Row, Spent, Timings, apart, interleave_spent, megabytes, real_data, seconds, spent, times

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.data import describe_task, load_split
from mu2net_core.engine.programs import Programs
from mu2net_core.presets import preset_named

SPLITS = {"train": "train[:512]", "validation": "train[512:520]", "test": "test[:8]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What is trained.

    Attributes:
        preset: of the model.
        side: of the images, in pixels.
        batch: examples per gradient step.
        steps: per training cycle.
        cycles: per child.
        children: one after the other.
        rounds: at most.
        dataset: of the task.
        environ: further variables that settings are read from.
    """

    preset: str
    side: int
    batch: int
    steps: int
    cycles: int
    children: int
    rounds: int = 5
    dataset: str = "cmaterdb/bangla"
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """The model's, as the floor takes them."""
        preset = preset_named(self.preset)
        config = preset.architecture.config
        blocks = json.loads(self.environ.get("MU2NET_DEFAULT_NUM_LAYERS", str(preset.space.defaults["num_layers"])))
        return {**{k: config[k] for k in ("patch", "width", "heads", "mlp")}, "blocks": blocks, "classes": 10}

    @property
    def settings(self) -> dict[str, str]:
        """Variables with which no child differs from its parent but in its numbers, of which all are trained."""
        space = preset_named(self.preset).space
        fixed = {**space.defaults, "mu": 1.0}
        fixed |= {"image_size": self.side} if "image_size" in fixed else {}
        values = {f"MU2NET_DEFAULT_{name.upper()}": json.dumps(value) for name, value in fixed.items()}
        values |= {f"MU2NET_SPACE_{name.upper()}": json.dumps([value]) for name, value in fixed.items()}
        training = {"batch_size": self.batch, "samples_cap": self.batch * self.steps, "validation_cap": 8}
        values |= {f"MU2NET_EVOLVE_{name.upper()}": str(value) for name, value in training.items()}
        return {**values, "MU2NET_SPACE_STRUCTURAL": "[]", **self.environ}


TIMED = Scale(preset="vit-b", side=80, batch=32, steps=2, cycles=1, children=2)
MANY = Scale(preset="vit-b", side=32, batch=128, steps=1, cycles=1, children=8, rounds=2)
LARGE = Scale(
    preset="vit-l",
    side=384,
    batch=2,
    steps=1,
    cycles=2,
    children=1,
    rounds=1,
    environ={"MU2NET_MACHINE_RESIDENT_BYTES": str(2**28)},
)
SMALL = Scale(
    preset="vit-mini",
    side=8,
    batch=4,
    steps=1,
    cycles=1,
    children=2,
    dataset="sklearn:digits",
    environ={"MU2NET_DEFAULT_NUM_LAYERS": "0", "MU2NET_SPACE_NUM_LAYERS": "[0]"},
)


def measure(options: Options) -> list[Row]:
    if options.small:
        return _rows(SMALL, options)
    if real_data() is None:
        raise SystemExit("case large needs real data: set MU2NET_TEST_DATA to a folder with tfds/cmaterdb")
    return [row for scale in (TIMED, MANY, LARGE) for row in _rows(scale, options)]


def _rows(scale: Scale, options: Options) -> list[Row]:
    """Returns the rows of memory, and of time per step where several steps were timed."""
    measured = _measured(scale, options)
    what = f"{scale.preset}, {scale.side}×{scale.side}, batch {scale.batch}, {_count(scale.children)}"
    memory = _memory_row(f"memory of evolve, {what}", measured, "≤ 1.3×" if scale == MANY else "-")
    if scale == MANY:
        return [memory]
    figures = {"time per step": 0, "processor time per step": 1}
    return [
        *(_step_row(f"{figure} of evolve, {what}", measured, part) for figure, part in figures.items()),
        memory,
    ]


def _step_row(case: str, measured: Mapping[str, Sequence[Spent]], part: int) -> Row:
    steps = Timings({who: [one.result[part] for one in runs] for who, runs in measured.items()})
    return Row(
        case=case,
        floor=f"hand-written Flax loop: {seconds(steps.median('floor'))}",
        ours=seconds(steps.median("ours")),
        ratio=times(steps.ratio("ours", "floor")),
        bar="-",
    )


def _memory_row(case: str, measured: Mapping[str, Sequence[Spent]], bar: str) -> Row:
    peaks = Timings({who: [one.peak_mb for one in runs] for who, runs in measured.items()})
    return Row(
        case=case,
        floor=f"hand-written Flax loop, one child: {megabytes(peaks.median('floor'))}",
        ours=megabytes(peaks.median("ours")),
        ratio=times(peaks.ratio("ours", "floor")),
        bar=bar,
    )


def _count(children: int) -> str:
    return "1 child" if children == 1 else f"{children} children in sequence"


def _measured(scale: Scale, options: Options) -> dict[str, list[Spent]]:
    folder = options.folder / f"{scale.preset}-{scale.side}-{scale.children}"
    folder.mkdir(exist_ok=True)
    work = {"floor": floor, "ours": ours}
    runs = {who: partial(apart, one, folder, scale, inline=options.small) for who, one in work.items()}
    return interleave_spent(runs, min(options.pairs, scale.rounds))


def floor(folder: Path, scale: Scale) -> Spent:
    """Returns what the hand-written loop spent; its result are the wall and processor seconds of a step."""
    del folder
    data_dir = str(real_data() or "") or None
    task = describe_task(scale.dataset, data_dir=data_dir, **_splits(scale)).task
    examples = load_split(task, "train", shape=(scale.side, scale.side, 3), data_dir=data_dir)
    steps = max(scale.steps * scale.cycles * scale.children, 2) if scale.children <= 2 else 2
    done = spent(
        lambda: floor_flax.train(scale.sizes, examples.inputs, examples.labels, batch=scale.batch, steps=steps)
    )
    return _with_result(done, done.result)


def ours(folder: Path, scale: Scale) -> Spent:
    """Returns what one evolve spent; its result are the wall and processor seconds of a step."""
    took: list[tuple[float, float]] = []
    train = Programs.train

    def timed(*args: Any, **options: Any) -> Any:
        began, cpu, steps = time.perf_counter(), time.process_time(), int(args[-1].steps)
        done = jax.block_until_ready(train(*args, **options))
        took.append(((time.perf_counter() - began) / steps, (time.process_time() - cpu) / steps))
        return done

    shutil.rmtree(folder / "work", ignore_errors=True)
    context = _context(folder, scale)
    init(folder / "work", context, preset=scale.preset)
    name = add_task(
        open_repo(folder / "work", context), context, scale.dataset, TaskOptions(**_splits(scale))
    ).task.name
    sizes = {"generations": 1, "children": scale.children, "validations": scale.cycles, "seed": 1}
    with mock.patch.object(Programs, "train", timed):
        done = spent(lambda: evolve(open_repo(folder / "work", context), context, [name], EvolveOptions(**sizes)))
    assert len(took) == scale.children * scale.cycles
    return _with_result(done, took)


def _splits(scale: Scale) -> dict[str, str]:
    return SPLITS if scale.dataset == TIMED.dataset else {}


def _with_result(done: Spent, steps: list[tuple[float, float]]) -> Spent:
    """Returns what was spent; its result are the medians over all steps but those in which something was compiled."""
    wall, cpu = zip(*steps[1:], strict=True)
    return Spent(wall_s=done.wall_s, cpu_s=done.cpu_s, peak_mb=done.peak_mb, result=(median(wall), median(cpu)))


def _context(folder: Path, scale: Scale) -> Context:
    data = real_data()
    return Context(
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        host="bench",
        environ={
            "MU2NET_CACHE_DIR": str(folder / "cache"),
            **({} if data is None else {"TFDS_DATA_DIR": str(data)}),
            **scale.settings,
        },
        user_config=None,
        cwd=folder,
    )
