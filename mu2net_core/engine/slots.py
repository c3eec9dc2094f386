"""The row of slots that a child is trained in: one that many children share, or one made for it alone.

Where a compilation costs more than what a shared row computes too much, children share: every adapter has a slot,
which may be empty, and there are slots for as many blocks as the deepest child of a generation needs, and some more;
only the blocks a child has are computed. Where a step costs more than that, the row is the child's own, and what it
trains is compiled in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mu2net_core.engine.training import TrainingShape, nameless
from mu2net_core.nn import ArchitectureFamily, LayerSpec
from mu2net_core.objectives import Objective
from mu2net_core.objects import ComponentRef, Operation
from mu2net_core.presets import Preset
from mu2net_core.search import Merging

__all__ = ["LayerPlan", "Room", "Slot", "SlotRow", "own_row", "shared_row"]

_COSTLY_FLOPS = 2**38
"""Of a gradient step: a quarter of a tera. From here on a masked layer costs seconds in each child, as a compilation
does."""

_MOST_BLOCKS = 4
"""Depths in one program: the time to compile it grows with the square of their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer of a child.

    Attributes:
        spec: the layer.
        source: the component it shares or starts from; None for a random start.
        trainable: whether the child trains it; otherwise it shares ``source``.
        operation: how a trained layer came to be; after ``interpolate`` and ``grow`` it has another size than
            ``source``, and so starts without its optimizer's state.
        identity: whether a layer without source begins by passing on what it gets.
        merging: what ``source`` is merged with, or that it was taken over from another architecture's model; None if
            neither. Such a layer starts without its optimizer's state, which is of another point, or another row.
    """

    spec: LayerSpec
    source: ComponentRef | None
    trainable: bool
    operation: Operation
    identity: bool = False
    merging: Merging | None = None

    @property
    def sources(self) -> tuple[ComponentRef, ...]:
        """The components that it shares or starts from."""
        first = () if self.source is None else (self.source,)
        return first if self.merging is None or self.merging.is_crossing else (*first, self.merging.partner.ref)

    @property
    def is_adapted(self) -> bool:
        """Whether it starts from a component of another size, made to fit."""
        return self.trainable and self.source is not None and self.operation in {"interpolate", "grow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in the trained program, and the layer in it; None if it stays empty."""

    spec: LayerSpec
    layer: LayerPlan | None

    @property
    def trainable(self) -> bool:
        """Whether the layer in it is trained."""
        return self.layer is not None and self.layer.trainable


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """The slots that gradients pass through.

    Attributes:
        slots: from the gradient boundary up.
        variants: by number of blocks, the slots in use; with one variant all are.
        variant: the one of this child.
        is_own: whether the row is made for the child alone: no slot is empty, and what it trains is compiled in.
    """

    slots: tuple[Slot, ...]
    variants: tuple[tuple[int, ...], ...]
    variant: int = 0
    is_own: bool = False

    @classmethod
    def plain(cls, slots: Sequence[Slot]) -> SlotRow:
        """Returns a row without variants, in which any of the layers may be trained."""
        return cls(slots=tuple(slots), variants=(tuple(range(len(slots))),))

    def shape(self, *, together: bool) -> TrainingShape:
        """Returns what decides the program that trains the row, of one child or of several ``together``."""
        return TrainingShape(
            specs=nameless([slot.spec for slot in self.slots]),
            rows=self.variants,
            trainable=tuple(slot.trainable for slot in self.slots) if self.is_own else None,
            together=together,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What other children a training program should have room for.

    Attributes:
        kinds: of structural mutations that can happen.
        blocks: that a child has at most; None where children of another depth need another program.
        outputs: whether a head may have outputs that its task does not ask for.
        batch: examples of a gradient step.
    """

    kinds: Collection[str] = ()
    blocks: int | None = None
    outputs: bool = True
    batch: int = 1

    @classmethod
    def of(cls, preset: Preset, family: ArchitectureFamily, objective: Objective) -> Room:
        """Returns the room for all children of a preset whose outputs are worth what ``objective`` says."""
        depths = preset.space.values.get(family.vocabulary.depth)
        return cls(
            kinds=preset.space.structural,
            blocks=None if depths is None else int(depths[-1]),
            outputs=objective.ignores_absent,
            batch=preset.training.batch_size,
        )

    def enough(self, deepest: int) -> Room:
        """Returns the room that children of at most ``deepest`` blocks need, in steps of 1, 3, 7 ... blocks.

        A system that begins with few blocks seldom comes to all that it may have, and each depth that a program has
        room for takes its time to compile, and to load.
        """
        if self.blocks is None:
            return self
        return replace(self, blocks=min(self.blocks, max(2 ** deepest.bit_length() - 1, 1)))

    def pays(self, family: ArchitectureFamily, specs: Sequence[LayerSpec]) -> bool:
        """Returns whether it saves more to share a program than it costs in a gradient step of these layers."""
        return 3 * family.flops(specs) * self.batch < _COSTLY_FLOPS


def own_row(slots: Sequence[Slot]) -> SlotRow:
    """Returns a row for one child alone, each layer in a slot of just its size."""
    full = tuple(Slot(spec=slot.layer.spec, layer=slot.layer) for slot in slots if slot.layer is not None)
    return replace(SlotRow.plain(full), is_own=True)


def shared_row(slots: Sequence[Slot], group: Sequence[LayerSpec], at: int, most: int) -> SlotRow:
    """Returns a row for children of every depth: with room for ``most`` groups, empty ones below a child's own.

    Where there could be too many, or a child's blocks are not alike, it is for children of its own depth.

    Args:
        slots: of the child, from the gradient boundary up.
        group: the slots that a further block takes.
        at: where the groups begin in a child that has none; 0 or less if what lies below is frozen.
        most: groups.
    """
    slots, size = tuple(slots), len(group)
    begin, count = _run(nameless([slot.spec for slot in slots]), nameless(group), at) if group else (None, 0)
    if begin is None or not count <= most <= _MOST_BLOCKS or (count == 0 and begin <= 0):
        return SlotRow.plain(slots)
    empty = tuple(Slot(spec=replace(spec, name=f"empty_{number}"), layer=None) for number, spec in enumerate(group))
    filled = (*slots[:begin], *(empty * (most - count)), *slots[begin:])
    least, end = 0 if begin else 1, begin + most * size
    variants = tuple((*range(begin), *range(end - blocks * size, len(filled))) for blocks in range(least, most + 1))
    return SlotRow(slots=filled, variants=variants, variant=count - least)


def _run(specs: Sequence[LayerSpec], group: Sequence[LayerSpec], at: int) -> tuple[int | None, int]:
    """Returns where ``group`` begins in ``specs``, ``at`` if nowhere, and how often it comes in a row.

    No place at all if there are blocks of another size, or elsewhere.
    """
    size, kinds = len(group), _kinds(group)
    alike = [begin for begin in range(len(specs) - size + 1) if _kinds(specs[begin : begin + size]) == kinds]
    if not alike:
        return at, 0
    in_a_row = alike == list(range(alike[0], alike[0] + size * len(alike), size))
    same = all(tuple(specs[begin : begin + size]) == tuple(group) for begin in alike)
    return alike[0] if in_a_row and same else None, len(alike)


def _kinds(specs: Sequence[LayerSpec]) -> tuple[str, ...]:
    return tuple(spec.kind for spec in specs)
