"""One evolve against nothing but the training and validation of the same children (``floor_evolve``).

Both begin with their modules imported, and with JAX's caches as in a new process: in memory empty, on disk empty
(cold) or as the same run left it (warm). Ours includes opening the repository, reading the data, every decision of the
search, and storing all that is kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import sklearn.datasets  # noqa: F401  imports are not what is compared
from floor_evolve import Child, train_children
from jax.experimental.compilation_cache import compilation_cache
from measure import Options, Row, interleave, seconds, times

from mu2net_core.api.add_task import add_task
from mu2net_core.api.context import Context
from mu2net_core.api.evolve import EvolveResult, evolve
from mu2net_core.api.init import init
from mu2net_core.api.open import open_repo
from mu2net_core.api.runtime import prepare_jax
from mu2net_core.engine import child as engine_child
from mu2net_core.engine.blueprint import num_params
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.pool import to_host

SEED = 1
SMALL = {"generations": 1, "children": 1, "validations": 1, "seed": SEED}
NO_BLOCKS = {"MU2NET_SPACE_NUM_LAYERS": "[0]", "MU2NET_DEFAULT_NUM_LAYERS": "0"}
WARM = "warm"
BARS = {"cold": "≤ 1.3×", WARM: "≤ 1.1×"}


def measure(options: Options) -> list[Row]:
    sizes = {"generations": 3, "children": 4, "seed": SEED}
    bench = Bench(options.folder, SMALL if options.small else sizes, settings=NO_BLOCKS if options.small else {})
    bench.warm_up()
    kinds = [(who, cache) for cache in BARS if cache == WARM or not options.small for who in ("floor", "ours")]
    timings = interleave(
        {" ".join(kind): bench.floor if kind[0] == "floor" else bench.ours for kind in kinds},
        options.pairs,
        before={" ".join(kind): partial(bench.prepare, *kind) for kind in kinds},
    )
    if not options.small:
        bench.check_floor()
    what = f"evolve digits, vit-mini, {bench.sizes['generations']} × {bench.sizes['children']} children"
    return [
        Row(
            case=f"{what}, {cache} cache",
            floor=f"training and validation alone: {seconds(timings.median(f'floor {cache}'))}",
            ours=seconds(timings.median(f"ours {cache}")),
            ratio=times(timings.ratio(f"ours {cache}", f"floor {cache}")),
            bar=BARS[cache],
        )
        for who, cache in kinds
        if who == "ours"
    ]


class Bench:
    """A repository with one task, the children an evolve of it samples, and compilation caches on disk."""

    def __init__(self, folder: Path, sizes: Mapping[str, int], *, settings: Mapping[str, str]) -> None:
        """Makes the repository; ``settings`` are environment variables."""
        self.folder, self.sizes, self.settings = folder, sizes, settings
        self.children: list[Child] = []
        self.accuracies: list[list[float]] = []
        self.data: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
        self.result: EvolveResult | None = None
        self._numbers, self._work = count(), folder / "work"
        self._context = self._context_with("setup")
        init(folder / "template", self._context, preset="vit-mini")
        add_task(open_repo(folder / "template", self._context), self._context, "sklearn:digits")

    def warm_up(self) -> None:
        """Evolves once, noting every child before its training, and trains them once; leaves both warm caches."""
        train_child = engine_child.train_child

        def noted(blueprint, hyperparameters, **surroundings):
            self.children.append(self._note(blueprint, hyperparameters, **surroundings))
            return train_child(blueprint, hyperparameters, **surroundings)

        self.prepare("ours", WARM)
        with mock.patch("mu2net_core.engine.generation.train_child", noted):
            self.ours()
        self.prepare("floor", WARM)
        self.floor()

    def prepare(self, who: str, cache: str) -> None:
        """Makes JAX forget what it compiled, and chooses what it finds on the disk; ours gets a fresh repository."""
        folder = f"{who}-warm" if cache == WARM else f"{who}-cold-{next(self._numbers)}"
        self._context = self._context_with(folder)
        prepare_jax(self._context)
        compilation_cache.reset_cache()
        jax.clear_caches()
        num_params.cache_clear()
        if who == "ours":
            shutil.rmtree(self._work, ignore_errors=True)
            shutil.copytree(self.folder / "template", self._work)

    def ours(self) -> None:
        before = self.result
        repo = open_repo(self._work, self._context)
        self.result = evolve(repo, self._context, tasks=["digits"], **self.sizes)
        if before is not None:  # the same work every time
            assert [i.model for i in self.result.iterations] == [i.model for i in before.iterations]

    def floor(self) -> None:
        self.accuracies = train_children(self.children, *self.data)

    def check_floor(self) -> None:
        """Sees to it that the floor learned what ours did, up to the order of the examples."""
        assert len(self.accuracies) == self.sizes["generations"] * self.sizes["children"]
        assert max(map(max, self.accuracies)) > self.result.iterations[0].validation - 0.1

    def _context_with(self, cache: str) -> Context:
        return Context(
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            host="bench",
            environ={"MU2NET_CACHE_DIR": str(self.folder / cache), **self.settings},
            user_config=None,
            cwd=self.folder,
        )

    def _note(self, blueprint, hyperparameters, *, data, pool, programs, config, seed, **_others) -> Child:
        """Returns the child as the floor needs it."""
        frozen, above = blueprint.layers[: blueprint.boundary], blueprint.layers[blueprint.boundary :]
        steps, batch = engine_child._cycle_size(data.train[0].shape[0], config)
        starts = [engine_child._start(layer, pool, programs, seed) for layer in above]
        self.data = tuple(tuple(map(np.asarray, split)) for split in (data.train, data.validation))
        rates = OptimizerSettings.of(hyperparameters, steps * config.validations)
        return Child(
            frozen=tuple(layer.spec for layer in frozen),
            frozen_ids=tuple(layer.source.id for layer in frozen),
            frozen_row=tuple(to_host(pool.params(layer.source.id)) for layer in frozen),
            specs=tuple(layer.spec for layer in above),
            row=tuple(to_host(params) for params, _ in starts),
            momentum=tuple(to_host(momentum) for _, momentum in starts),
            trainable=np.array([layer.trainable for layer in above]),
            rates=tuple(map(np.asarray, jax.tree.leaves(rates))),
            cycles=config.validations,
            steps=steps,
            batch=batch,
            clip_norm=config.clip_norm,
        )
