"""A vision transformer and its training as one writes them by hand: Flax modules, optax, a jitted step for each batch.

The same function, optimizer and numbers of parameters as ours; nothing of mu2net is used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

__all__ = ["VisionTransformer", "train"]


class Block(nn.Module):
    heads: int
    mlp: int

    @nn.compact
    def __call__(self, x):
        y = nn.LayerNorm(epsilon=1e-6)(x)
        x = x + nn.MultiHeadDotProductAttention(num_heads=self.heads, deterministic=True)(y, y)
        y = nn.LayerNorm(epsilon=1e-6)(x)
        y = nn.gelu(nn.Dense(self.mlp)(y))
        return x + nn.Dense(x.shape[-1])(y)


class VisionTransformer(nn.Module):
    patch: int
    width: int
    heads: int
    mlp: int
    blocks: int
    classes: int

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(self.width, (self.patch, self.patch), strides=(self.patch, self.patch), padding="VALID")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        token = self.param("cls", nn.initializers.zeros, (1, 1, self.width))
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, self.width)), x], axis=1)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, *x.shape[1:]))
        for _ in range(self.blocks):
            x = Block(self.heads, self.mlp)(x)
        x = nn.LayerNorm(epsilon=1e-6)(x)
        return nn.Dense(self.classes, kernel_init=nn.initializers.zeros)(x[:, 0])


def train(
    sizes: Mapping[str, int], images: np.ndarray, labels: np.ndarray, *, batch: int, steps: int
) -> list[tuple[float, float]]:
    """Returns the wall and processor seconds of each gradient step, the first one's with its compilation.

    Then it predicts one batch.
    """
    model = VisionTransformer(**sizes)
    params = jax.jit(model.init)(jax.random.key(0), _scaled(images[:1]))
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.01, momentum=0.9))
    state = (params, optimizer.init(params))

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, images: jax.Array, labels: jax.Array) -> Any:
        params, momentum = state

        def loss_fn(params):
            logits = model.apply(params, _scaled(images))
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

        loss, gradients = jax.value_and_grad(loss_fn)(params)
        updates, momentum = optimizer.update(gradients, momentum, params)
        return (optax.apply_updates(params, updates), momentum), loss

    took = []
    for number in range(steps):
        part = slice(number * batch, (number + 1) * batch)
        began, cpu = time.perf_counter(), time.process_time()
        state, loss = step(state, images[part], labels[part])
        jax.block_until_ready(state)
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        assert np.isfinite(loss)
    jax.block_until_ready(
        jax.jit(lambda params, images: model.apply(params, _scaled(images)))(state[0], images[:batch])
    )
    return took


def _scaled(images):
    return images.astype(jnp.float32) / 127.5 - 1
