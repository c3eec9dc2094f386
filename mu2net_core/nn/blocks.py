"""What families share whose rows are blocks with adapters before them: specs, slots, what may grow.

Before a block may stand a residual adapter, and right before it a change of its matrices (``kinds/lora.py``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mu2net_core.nn.architecture import ArchitectureFamily, Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["LEAST_DIM", "MOST_GROWTH", "BlockFamily", "encoder_block", "lora_changes"]

LEAST_DIM = 32
"""The width of an adapter where nothing is said."""

MOST_GROWTH = 4
"""A block's MLP and its heads grow to this multiple of what the architecture says, no further."""

_LEAST_RANK, _MOST_RANK = 2, 16
"""Of a change of a block's matrices, as it begins and at most: each time that it grows, it doubles."""

_BEFORE = frozenset({"adapter", "lora"})
"""Kinds of layers that stand before a block, in this order."""

_CHANGED = frozenset({"convnext_block", "encoder_block", "post_norm_block"})
"""Kinds of blocks whose matrices can be changed."""

_MOST_DIM, _NARROW = 4, 128
"""An adapter is at most ``_MOST_DIM`` times the width, or ``_NARROW`` where that is more."""


class BlockFamily(ArchitectureFamily):
    """A family whose models have ``num_layers`` blocks, each after its adapter if it has one; as it is, of images."""

    title: str
    """What messages call it."""

    head = "head"
    vocabulary = Vocabulary(
        depth="num_layers",
        input="image_size",
        added=frozenset({"adapter_dim"}),
        structural=frozenset({"adapter", "block", "heads", "lora", "mlp"}),
    )

    @abstractmethod
    def adapter_of(self, block: LayerSpec) -> str | None:
        """Returns what an adapter before a layer is called; None if it is no block."""

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns square images of the side that the model is made for."""
        sizes = self.sizes(config, hyperparameters)
        return InputSpec.image(sizes.image, sizes.channels)

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns the layers' slots, with those for an adapter and a change before every block, if there can be any."""
        wanted = _BEFORE & ({*kinds} | {spec.kind for spec in specs})
        return tuple(map(self.roomy, self._with_slots(specs, wanted)))

    def sizes(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> Sizes:
        """Returns what one model's config and hyperparameters say."""
        return Sizes(family=self.title, config=config, own=hyperparameters)

    def with_adapters(self, layers: Iterable[LayerSpec], sizes: Sizes) -> Iterator[LayerSpec]:
        """Yields layers, and before each what stands before it, as large as the hyperparameter of its name says."""
        for spec in layers:
            adapter, lora = self.adapter_of(spec), _lora_of(spec)
            if adapter is not None and adapter in sizes.own:
                most = _MOST_DIM * max(spec.size("width"), _NARROW)
                yield _adapter(adapter, sizes.chosen(adapter, most=most), spec)
            if lora is not None and lora in sizes.own:
                yield _lora(lora, sizes.chosen(lora, most=_MOST_RANK), spec)
            yield spec

    def _with_slots(self, specs: Sequence[LayerSpec], wanted: Collection[str]) -> Iterator[LayerSpec]:
        """Yields ``specs``, and before each that can have one what is ``wanted`` and is not there yet."""
        there = {spec.name: spec for spec in specs if spec.kind in _BEFORE}
        for spec in specs:
            adapter, lora = self.adapter_of(spec), _lora_of(spec)
            if spec.kind in _BEFORE:
                continue
            if adapter is not None and "adapter" in wanted:
                yield there.get(adapter) or _adapter(adapter, LEAST_DIM, spec)
            if lora is not None and "lora" in wanted:
                yield there.get(lora) or _lora(lora, _LEAST_RANK, spec)
            yield spec


def lora_changes(sizes: Sizes) -> dict[str, dict[str, Hyperparameter]]:
    """Returns by name: a change of each block's matrices where there is none, and growth of those that there are."""
    found: dict[str, dict[str, Hyperparameter]] = {}
    for name in (f"lora_{k}" for k in range(sizes.blocks)):
        if name not in sizes.own:
            found[f"add:{name}"] = {name: _LEAST_RANK}
        elif (rank := 2 * sizes.chosen(name)) <= _MOST_RANK:
            found[f"grow:{name}"] = {name: rank}
    return found


def encoder_block(k: int, heads: int, mlp: int, flow: Mapping[str, int], sizes: Sizes) -> LayerSpec:
    """Returns the encoder block at place ``k``, whose heads are as wide as the architecture's, however many."""
    width, plain = sizes.fixed("width"), sizes.fixed("heads")
    more = {} if heads == plain else {"head_dim": width // plain}
    spec = LayerSpec.of(f"encoderblock_{k}", "encoder_block", flow=flow, heads=heads, mlp=mlp, width=width, **more)
    return spec.computing({name: value for name, value in sizes.options.items() if name in {"gelu", "epsilon"}})


def _adapter(name: str, dim: int, block: LayerSpec) -> LayerSpec:
    return LayerSpec.of(name, "adapter", flow=dict(block.flow), dim=dim, width=block.size("width"))


def _lora_of(block: LayerSpec) -> str | None:
    """Returns what a change of a layer's matrices is called; None if it has none that can be changed."""
    return f"lora_{block.name.rpartition('_')[2]}" if block.kind in _CHANGED else None


def _lora(name: str, rank: int, block: LayerSpec) -> LayerSpec:
    width, heads = block.size("width"), block.size("heads", 0)
    inner = {"inner": heads * block.size("head_dim", width // heads)} if heads else {}
    return LayerSpec.of(name, "lora", flow=dict(block.flow), rank=rank, width=width, mlp=block.size("mlp"), **inner)
