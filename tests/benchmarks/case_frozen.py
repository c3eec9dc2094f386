"""A gradient step of ViT-B whose lower half is frozen against one that trains all layers, through ``Programs.train``.

Preprocessing is deterministic, so what the frozen half makes of the images is computed once, as children of one parent
share it: that time is named beside the step's. The second row is what the slots cost that the search space keeps for
adapters, while they are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np
from measure import Options, Row, interleave, seconds, times

from mu2net_core.engine.beginning import padded
from mu2net_core.engine.cycle import order_of
from mu2net_core.engine.optimizer import OptimizerSettings
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.training import Chunk, Own, TrainingShape
from mu2net_core.nn import LayerSpec, VisionTransformer
from mu2net_core.objectives import Classify
from mu2net_core.presets import PRESETS

STEPS, BATCH, CLASSES = 2, 16, 10


def measure(options: Options) -> list[Row]:
    bench = Bench("vit-mini", 1, 4) if options.small else Bench("vit-b", 12, BATCH)
    all_specs, half = bench.specs, bench.half
    cut = len(all_specs) - len(half)
    images = bench.images
    activations, once_s = bench.below(images, cut)
    slots = bench.family.slots(all_specs, () if options.small else ("adapter",))  # few programs if it only has to run
    inputs = {"all": (all_specs, images), "half": (half, activations), "slots": (slots, images)}
    runs = {name: partial(bench.step, *each) for name, each in inputs.items()}
    before = {name: partial(bench.reset, specs) for name, (specs, _) in inputs.items()}
    interleave(runs, 1, before=before)  # compiles
    timings = interleave(runs, options.pairs, before=before)
    what = f"{bench.preset}, {bench.side}×{bench.side}, batch {bench.batch}"
    floor = f"all layers trainable: {seconds(timings.median('all') / STEPS)} per step"
    once = f"and {seconds(once_s / STEPS)} once for the frozen half of each batch"
    return [
        Row(
            case=f"step with the lower half of the blocks frozen, {what}",
            floor=floor,
            ours=f"{seconds(timings.median('half') / STEPS)}, {once}",
            ratio=times(timings.ratio("half", "all")),
            bar="≤ 0.55×",
        ),
        Row(
            case=f"step with an empty adapter slot before each block, {what}",
            floor=floor,
            ours=seconds(timings.median("slots") / STEPS),
            ratio=times(timings.ratio("slots", "all")),
            bar="-",
        ),
    ]


class Bench:
    """A model, a few images, and the engine's programs."""

    def __init__(self, preset: str, blocks: int, batch: int) -> None:
        self.preset, self.batch = preset, batch
        self.family = VisionTransformer()
        self.programs = Programs(family=self.family)
        config = PRESETS[preset].architecture.config
        self.side = config["image"]
        self.specs = self.family.layers(config, {"num_layers": blocks}, CLASSES)
        names = [spec.name for spec in self.specs]
        self.half = self.specs[names.index(f"encoderblock_{blocks // 2}") :]
        rng = np.random.Generator(np.random.Philox(0))
        self.images = jax.device_put(rng.integers(0, 256, (STEPS * batch, self.side, self.side, 3), np.uint8))
        self.labels = jax.device_put(rng.integers(0, CLASSES, STEPS * batch, np.int32))
        self._arrays = {spec.name: self.family.init(spec, rng) for spec in self.specs}
        self._settings = jax.device_put(OptimizerSettings.of(PRESETS[preset].space.defaults, STEPS))
        self._order = jax.device_put(order_of(1, STEPS, batch, STEPS, num_examples=STEPS * batch))
        self._state: tuple = ()

    def below(self, images: jax.Array, cut: int) -> tuple[jax.Array, float]:
        """Returns what the layers below ``cut`` make of images, and the seconds that took."""
        specs, row = self.specs[:cut], jax.device_put(self._row(self.specs[:cut]))
        made: list[jax.Array] = []

        def run() -> None:
            made[:] = [jax.block_until_ready(self.programs.activations(specs, row, images, above=self.half[:1]))]

        interleave({"once": run}, 1)  # compiles
        return made[0], interleave({"once": run}, 1).median("once")

    def reset(self, specs: Sequence[LayerSpec]) -> None:
        """Puts what training begins with on the device; it is consumed."""
        self._state = ()
        row = self._row(specs)
        momentum = jax.tree.map(np.zeros_like, row)
        self._state = jax.block_until_ready(jax.device_put((row, momentum, np.int32(0)), may_alias=False))

    def step(self, specs: Sequence[LayerSpec], inputs: jax.Array) -> None:
        """Does all gradient steps."""
        full = jax.device_put(np.array([spec.kind != "adapter" for spec in specs]))
        own = Own(settings=self._settings, smoothing=np.float32(0), trainable=full, present=full, order=self._order)
        chunk = Chunk(
            inputs=inputs,
            labels=self.labels,
            steps=np.int32(STEPS),
            variant=np.int32(0),
            clip_norm=np.float32(1.0),
        )
        self._state, loss = self.programs.train(
            TrainingShape.plain(specs), self._state, own, chunk, objective=Classify()
        )
        assert np.isfinite(loss)

    def _row(self, specs: Sequence[LayerSpec]) -> tuple[dict[str, np.ndarray], ...]:
        """Returns the parameters of layers; an empty slot's are zero."""
        return tuple(padded(self._arrays.get(spec.name, {}), spec, self.family) for spec in specs)
