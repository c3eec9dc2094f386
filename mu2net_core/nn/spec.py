"""What a layer is, as a value, and what its numbers are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

__all__ = ["Arrays", "LayerSpec", "Params", "Precision", "Shapes"]

Params = Mapping[str, jax.Array]
"""One layer's parameters by slash-joined name, on the device."""

Arrays = Mapping[str, np.ndarray]
"""The same on the host."""

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Shape and number type of a layer's arrays by name."""

Precision = Literal["float32", "bfloat16"]
"""In which numbers products are computed; parameters, normalisations, softmax and outputs are float32 in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """One layer of a model: hashable, and all that decides its compiled code.

    Attributes:
        name: unique in the model, e.g. ``encoderblock_0``; also the component's name.
        kind: name of the ``LayerKind`` that runs it.
        sizes: named numbers, sorted by name; the shapes of its parameters follow from them.
        flow: named numbers of what passes through it, sorted by name, e.g. how many tokens: what it computes depends
            on them, its parameters do not.
        options: how it computes where that is not as usual, sorted by name, e.g. another gelu: its parameters do not
            depend on them.
    """

    name: str
    kind: str
    sizes: tuple[tuple[str, int], ...]
    flow: tuple[tuple[str, int], ...] = ()
    options: tuple[tuple[str, str | float], ...] = ()

    @classmethod
    def of(cls, name: str, kind: str, *, flow: Mapping[str, int] | None = None, **sizes: int) -> LayerSpec:
        """Returns a spec with its sizes in canonical order."""
        passing = tuple(sorted((flow or {}).items()))
        return cls(name=name, kind=kind, sizes=tuple(sorted(sizes.items())), flow=passing)

    def computing(self, options: Mapping[str, str | float]) -> LayerSpec:
        """Returns the spec of the same layer with ``options``."""
        return replace(self, options=tuple(sorted(options.items())))

    def size(self, name: str, default: int | None = None) -> int:
        """Returns the size called ``name``, its own or of what passes through; ``default`` if it has none."""
        found = dict((*self.sizes, *self.flow))
        return found[name] if default is None else found.get(name, default)

    def option(self, name: str, usual: str | float) -> Any:
        """Returns the option called ``name``, ``usual`` if it has none."""
        return dict(self.options).get(name, usual)

    def enlarged(self, name: str, least: int) -> LayerSpec:
        """Returns the spec with the size called ``name`` as ``least``, doubled until the old one fits into it."""
        size, room = self.size(name), least
        while room < size:
            room *= 2
        return replace(self, sizes=tuple((known, room if known == name else old) for known, old in self.sizes))

    @property
    def nameless(self) -> LayerSpec:
        """The spec without what tells layers of one kind and size apart."""
        return replace(self, name=self.kind)

    @property
    def config(self) -> dict[str, int | float | str | bool]:
        """The spec as a component's stored config."""
        return {"kind": self.kind, **dict(self.sizes), **dict(self.options)}
