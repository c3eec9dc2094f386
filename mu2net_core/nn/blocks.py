"""What families share whose rows are blocks with adapters before them: specs, slots, what may grow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mu2net_core.nn.architecture import ArchitectureFamily, Vocabulary
from mu2net_core.nn.inputs import InputSpec
from mu2net_core.nn.sizes import Sizes
from mu2net_core.nn.spec import LayerSpec
from mu2net_core.objects import Hyperparameter

__all__ = ["LEAST_DIM", "MOST_GROWTH", "BlockFamily", "encoder_block"]

LEAST_DIM = 32
"""The width of an adapter where nothing is said."""

MOST_GROWTH = 4
"""A block's MLP and its heads grow to this multiple of what the architecture says, no further."""

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
        structural=frozenset({"adapter", "block", "heads", "mlp"}),
    )

    @abstractmethod
    def adapter_of(self, block: LayerSpec) -> str | None:
        """Returns what an adapter before a layer is called; None if it is no block."""

    def input(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter]) -> InputSpec:
        """Returns square images of the side that the model is made for."""
        sizes = self.sizes(config, hyperparameters)
        return InputSpec.image(sizes.image, sizes.channels)

    def slots(self, specs: Sequence[LayerSpec], kinds: Collection[str]) -> tuple[LayerSpec, ...]:
        """Returns the layers' slots, with one for an adapter before every block, if there can be any."""
        if "adapter" in kinds or any(spec.kind == "adapter" for spec in specs):
            specs = list(self._with_slots(specs))
        return tuple(map(self.roomy, specs))

    def sizes(self, config: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> Sizes:
        """Returns what one model's config and hyperparameters say."""
        return Sizes(family=self.title, config=config, own=hyperparameters)

    def with_adapters(self, layers: Iterable[LayerSpec], sizes: Sizes) -> Iterator[LayerSpec]:
        """Yields layers, and before each its adapter, if it has one, as wide as the hyperparameter of its name says."""
        for spec in layers:
            name = self.adapter_of(spec)
            if name is not None and name in sizes.own:
                most = _MOST_DIM * max(spec.size("width"), _NARROW)
                yield _adapter(name, sizes.chosen(name, most=most), spec)
            yield spec

    def _with_slots(self, specs: Sequence[LayerSpec]) -> Iterator[LayerSpec]:
        """Yields ``specs`` with an adapter before each that can have one, and has none yet."""
        for spec, before in zip(specs, (None, *specs), strict=False):
            name = self.adapter_of(spec)
            if name is not None and (before is None or before.kind != "adapter"):
                yield _adapter(name, LEAST_DIM, spec)
            yield spec


def encoder_block(k: int, heads: int, mlp: int, flow: Mapping[str, int], sizes: Sizes) -> LayerSpec:
    """Returns the encoder block at place ``k``, whose heads are as wide as the architecture's, however many."""
    width, plain = sizes.fixed("width"), sizes.fixed("heads")
    more = {} if heads == plain else {"head_dim": width // plain}
    spec = LayerSpec.of(f"encoderblock_{k}", "encoder_block", flow=flow, heads=heads, mlp=mlp, width=width, **more)
    return spec.computing({name: value for name, value in sizes.options.items() if name in {"gelu", "epsilon"}})


def _adapter(name: str, dim: int, block: LayerSpec) -> LayerSpec:
    return LayerSpec.of(name, "adapter", flow=dict(block.flow), dim=dim, width=block.size("width"))
