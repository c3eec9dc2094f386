"""What a step costs with each kind of layer of a ConvNet, and XLA's own convolutions beside ours.

``XLA_FLAGS=--xla_cpu_multi_thread_eigen=false python tests/benchmarks/kind_steps.py`` prints milliseconds of CPU
for output and gradients of 32 examples, within a loop of the program as the engine's steps are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mu2net_core.nn import ArchitectureFamily, LayerSpec, family_named
from mu2net_core.nn.kinds.convolution import convolved
from mu2net_core.nn.kinds.depthwise import depthwise
from mu2net_core.presets import preset_named

BATCH, STEPS, ROUNDS = 32, 5, 3
NAMES = ("NHWC", "HWIO", "NHWC")

Layer = Callable[[dict[str, jax.Array], jax.Array], jax.Array]


def step_ms(layer: Layer, params: dict[str, np.ndarray], x: np.ndarray) -> float:
    """Returns milliseconds of CPU that output and gradients take, the least of some rounds."""

    def loop(params: dict[str, jax.Array], x: jax.Array) -> dict[str, jax.Array]:
        slopes = jax.grad(lambda both: jnp.sum(layer(*both) ** 2))
        move = lambda _, both: jax.tree.map(lambda one, slope: one - 1e-6 * slope, both, slopes(both))  # noqa: E731
        return jax.lax.fori_loop(0, STEPS, move, (params, x))

    run, took = jax.jit(loop), []
    jax.block_until_ready(run(params, x))
    for _ in range(ROUNDS):
        began = time.process_time()
        jax.block_until_ready(run(params, x))
        took.append(time.process_time() - began)
    return 1000 * min(took) / STEPS


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)


def xla(stride: int = 1, groups: int = 1) -> Layer:
    strides, more = (stride, stride), {"dimension_numbers": NAMES, "feature_group_count": groups}
    return lambda params, x: jax.lax.conv_general_dilated(x, params["kernel"], strides, "SAME", **more)


def convolutions() -> None:
    """Prints both ways to compute the same."""
    x, kernel = numbers(BATCH, 8, 8, 64), numbers(3, 3, 64, 64)
    ours = step_ms(lambda params, x: convolved(x, params["kernel"]), {"kernel": kernel}, x)
    print(f"3 x 3 on 8 x 8 x 64: ours {ours:.1f}, XLA's {step_ms(xla(), {'kernel': kernel}, x):.1f}", flush=True)
    x, kernel = numbers(BATCH, 4, 4, 128), numbers(7, 7, 128)
    ours = step_ms(lambda params, x: depthwise(x, params["kernel"]), {"kernel": kernel}, x)
    theirs = step_ms(xla(groups=128), {"kernel": kernel[:, :, None]}, x)
    print(f"depthwise 7 x 7 on 4 x 4 x 128: ours {ours:.1f}, XLA's {theirs:.1f}", flush=True)


def layer_ms(family: ArchitectureFamily, spec: LayerSpec) -> float:
    kind = family.kind(spec)
    layer = lambda params, x: kind.apply(spec, params, x, dtype=jnp.dtype("float32"))  # noqa: E731
    return step_ms(layer, dict(kind.init(spec, np.random.default_rng(0))), numbers(BATCH, *kind.takes(spec)))


def main(preset_name: str) -> None:
    """Prints the steps of the layers of a preset's root, and of an encoder block."""
    preset = preset_named(preset_name)
    family = family_named(preset.architecture.name)
    own = {**preset.space.defaults, "num_layers": 2, "attention_1": preset.architecture.config["heads"]}
    for spec in family.layers(preset.architecture.config, own, 10):
        print(f"{spec.name}: {layer_ms(family, spec):.2f}", flush=True)


if __name__ == "__main__":
    convolutions()
    main(*(sys.argv[1:] or ["convnet-32"]))
