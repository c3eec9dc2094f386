"""One evolve against nothing but the training and validation of the same children (``floor_evolve``).

Both run in a process of their own each time, begin with their modules imported, and find JAX's cache on disk empty
(cold) or as the same run left it (warm). Ours includes opening the repository, reading the data, every decision of the
search, the test of the winner, and storing all that is kept. On real data where there is some (``MU2NET_TEST_DATA``),
else on the digits that come with scikit-learn.
"""

from __future__ import annotations

import pickle
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
from floor_evolve import Child, train_children
from measure import Options, Row, Spent, Timings, apart, interleave_spent, megabytes, real_data, seconds, spent, times

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.api.setup.init import init
from mu2net_core.api.setup.open import open_repo
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.data.augmentation import Augmentation, is_identity
from mu2net_core.engine.beginning import begin
from mu2net_core.engine.child import Trainer
from mu2net_core.engine.cycle import cycle_of
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.events import Compiled

BARS = {"cold": "≤ 1.3×", "warm": "≤ 1.1×"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What is evolved.

    Attributes:
        preset: of the repository.
        dataset: of its task.
        name: of that task.
        blocks: a model has, at most.
        sizes: options of ``evolve``.
        environ: variables that settings are read from.
    """

    preset: str
    dataset: str
    name: str
    blocks: int
    sizes: Mapping[str, int]
    environ: Mapping[str, str] = field(default_factory=dict)


REAL = Scale(
    preset="vit-ti0",
    dataset="cmaterdb/bangla",
    name="cmaterdb/bangla",
    blocks=3,
    sizes={"generations": 4, "children": 8, "seed": 1},
)
DIGITS = Scale(
    preset="vit-mini",
    dataset="sklearn:digits",
    name="digits",
    blocks=2,
    sizes={"generations": 3, "children": 4, "seed": 1},
)
SMALL = replace(
    DIGITS,
    blocks=0,
    sizes={"generations": 1, "children": 1, "validations": 1, "seed": 1},
    environ={"MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_DEFAULT_NUM_LAYERS": "0"},
)


def measure(options: Options) -> list[Row]:
    bench = Bench(options.folder, _scale(options), inline=options.small)
    kinds = [(who, cache) for cache in BARS if cache == "warm" or not options.small for who in ("floor", "ours")]
    runs = {" ".join(kind): partial(bench.run, *kind) for kind in kinds}
    measured = interleave_spent(runs, options.pairs)
    bench.check(measured)
    what = f"evolve {bench.scale.name}, {bench.scale.preset}, {_times(bench.scale)} children"
    caches = [cache for who, cache in kinds if who == "ours"]
    return [*(row for cache in caches for row in _rows(what, cache, measured)), bench.programs_row(what)]


def _scale(options: Options) -> Scale:
    if options.small:
        return SMALL
    folder = real_data()
    return DIGITS if folder is None else replace(REAL, environ={"TFDS_DATA_DIR": str(folder)})


def _times(scale: Scale) -> str:
    return f"{scale.sizes['generations']} × {scale.sizes['children']}"


def _rows(what: str, cache: str, measured: Mapping[str, Sequence[Spent]]) -> list[Row]:
    """Returns the rows of wall time, processor time and memory."""
    floor, ours = f"floor {cache}", f"ours {cache}"

    def row(figure: str, part: str, text: Any, bar: str) -> Row:
        found = Timings({name: [getattr(one, part) for one in runs] for name, runs in measured.items()})
        return Row(
            case=f"{what}, {cache} cache{figure}",
            floor=f"training and validation alone: {text(found.median(floor))}",
            ours=text(found.median(ours)),
            ratio=times(found.ratio(ours, floor)),
            bar=bar,
        )

    return [
        row("", "wall_s", seconds, BARS[cache]),
        row(", processor time", "cpu_s", seconds, "-"),
        row(", peak memory", "peak_mb", megabytes, "-"),
    ]


class Bench:
    """A repository with one task, the children an evolve of it samples, and compilation caches on disk."""

    def __init__(self, folder: Path, scale: Scale, *, inline: bool) -> None:
        """Makes the repository, and evolves and trains once, which leaves both warm caches."""
        self.folder, self.scale = folder, scale
        self._inline, self._numbers = inline, count()
        self._noted = apart(note, folder, scale, inline=inline)
        self.run("floor", "warm")

    def run(self, who: str, cache: str) -> Spent:
        """Returns what one run spent."""
        where = self.folder / (f"{who}-warm" if cache == "warm" else f"{who}-cold-{next(self._numbers)}")
        work: Any = ours if who == "ours" else floor
        measured: Spent = apart(work, self.folder, self.scale, where, inline=self._inline)
        if cache != "warm":
            shutil.rmtree(where)
        return measured

    def check(self, measured: Mapping[str, Sequence[Spent]]) -> None:
        """Sees to it that ours did the same every time, and the floor learned as much, but for the examples' order."""
        results = [one.result for name, runs in measured.items() if name.startswith("ours") for one in runs]
        assert all(one == self._noted["result"] for one in results), results
        if not self._inline:
            curves = measured["floor warm"][0].result
            assert len(curves) == self.scale.sizes["generations"] * self.scale.sizes["children"]
            assert max(map(max, curves)) > self._noted["result"]["validation"] - 0.1

    def programs_row(self, what: str) -> Row:
        """Returns the row of what was compiled from nothing."""
        kinds = Counter(name.partition(" ")[0] for name in self._noted["programs"])
        bar = (self.scale.blocks + 1) * len(self._noted["sides"]) * 3
        named = ", ".join(f"{kinds[name]} {name}" for name in sorted(kinds))
        return Row(
            case=f"programs of {what}",
            floor=f"(blocks + 1) × {len(self._noted['sides'])} image sizes × 3: {bar}",
            ours=f"{kinds.total()} ({named})",
            ratio=times(kinds.total() / bar),
            bar=f"≤ {bar}",
        )


def note(folder: Path, scale: Scale) -> dict[str, Any]:
    """Makes the repository and evolves once, writing down every child before its training; returns what came out."""
    context = _context(folder, scale, folder / "ours-warm")
    init(folder / "template", context, preset=scale.preset)
    add_task(open_repo(folder / "template", context), context, scale.dataset)
    children: list[Child] = []
    data: dict[int, Any] = {}
    programs: list[str] = []

    def noted(trainer, jobs, **options):
        children.append(_child(jobs[0], trainer))
        sized = trainer.data
        data.setdefault(sized.input_spec.shape[0], tuple(_whole(split) for split in (sized.train, sized.validation)))
        return train(trainer, jobs, **options)

    train = Trainer.train
    with mock.patch.object(Trainer, "train", noted):
        result = _evolve(
            folder, scale, context, lambda event: programs.append(event.what) if isinstance(event, Compiled) else None
        )
    with (folder / "children").open("wb") as file:
        pickle.dump((children, data), file)
    return {"result": result, "programs": programs, "sides": sorted(data)}


def ours(folder: Path, scale: Scale, cache: Path) -> Spent:
    """Returns what one evolve spent, on a fresh copy of the repository."""
    _import_readers(scale)
    context = _context(folder, scale, cache)
    return spent(lambda: _evolve(folder, scale, context))


def floor(folder: Path, scale: Scale, cache: Path) -> Spent:
    """Returns what training and validating the noted children spent."""
    with (folder / "children").open("rb") as file:
        children, data = pickle.load(file)
    context = _context(folder, scale, cache)
    prepare_jax(context)
    return spent(lambda: train_children(children, data))


def _evolve(folder: Path, scale: Scale, context: Context, on_event: Any = lambda _event: None) -> dict[str, Any]:
    shutil.rmtree(folder / "work", ignore_errors=True)
    shutil.copytree(folder / "template", folder / "work")
    repo = open_repo(folder / "work", context)
    (done,) = evolve(repo, context, [scale.name], EvolveOptions(**scale.sizes), on_event=on_event).iterations
    return {"model": done.model, "validation": done.validation}


def _context(folder: Path, scale: Scale, cache: Path) -> Context:
    return Context(
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        host="bench",
        environ={"MU2NET_CACHE_DIR": str(cache), **scale.environ},
        user_config=None,
        cwd=folder,
    )


def _import_readers(scale: Scale) -> None:
    """Imports what reads the data: imports are not what is compared."""
    if scale.preset == REAL.preset:
        import tensorflow_datasets  # noqa: F401
    else:
        import sklearn.datasets  # noqa: F401


def _whole(split) -> tuple[np.ndarray, np.ndarray]:
    (examples,) = split.in_order(chunk=split.num_examples)
    return examples.inputs, examples.labels


def _child(job, trainer: Trainer) -> Child:
    """Returns a child as the floor needs it: without the slots that stay empty in it."""
    blueprint, family, pool = job.blueprint, trainer.programs.family, trainer.pool
    data, config = trainer.data, trainer.config
    cycle = cycle_of(data.train.num_examples, config)
    begun = zip(
        blueprint.slots, *begin(blueprint.row, job.seed, pool, family, optimizer="sgd", adaptive=False), strict=True
    )
    filled = [(slot.layer, params, momentum) for slot, params, momentum in begun if slot.layer is not None]
    rates = OptimizerSettings.of(job.hyperparameters, cycle.steps * config.validations)
    return Child(
        side=data.input_spec.shape[0],
        augmentation=None if is_identity(job.hyperparameters) else Augmentation.of(job.hyperparameters),
        frozen=tuple(layer.spec.nameless for layer in blueprint.frozen),
        frozen_ids=tuple(layer.source.id for layer in blueprint.frozen),
        frozen_row=tuple(dict(pool.component(layer.source.id).params) for layer in blueprint.frozen),
        specs=tuple(layer.spec.nameless for layer, _, _ in filled),
        row=tuple(_cropped(family, layer, params) for layer, params, _ in filled),
        momentum=tuple(_cropped(family, layer, momentum) for layer, _, momentum in filled),
        trainable=np.array([layer.trainable for layer, _, _ in filled]),
        rates=tuple(map(np.asarray, jax.tree.leaves(rates))),
        cycles=config.validations,
        steps=cycle.steps,
        batch=cycle.batch,
        clip_norm=config.clip_norm,
    )


def _cropped(family, layer, arrays) -> dict[str, np.ndarray]:
    shapes = family.shapes(layer.spec)
    return {name: arrays[name][tuple(slice(0, size) for size in shape)] for name, (shape, _) in shapes.items()}
