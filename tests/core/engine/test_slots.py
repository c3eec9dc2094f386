"""Rows of slots: which children share one, and which of its slots each of them uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_core.engine.slots import LayerPlan, Room, Slot, SlotRow, own_row, shared_row
from mu2net_core.engine.training import nameless
from mu2net_core.nn import LayerSpec
from mu2net_core.objectives import Classify
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import BENCH_PRESET

EMBEDDING, BLOCK, ADAPTER, NORM = (
    LayerSpec.of(kind, kind, width=4) for kind in ("embedding", "block", "adapter", "norm")
)


def filled(*specs: LayerSpec) -> list[Slot]:
    """Returns slots that are all in use, as a child of these layers has them."""
    return [
        Slot(spec=spec, layer=LayerPlan(spec=spec, source=None, trainable=True, operation="random"))
        for spec in (replace(spec, name=f"{spec.name}_{number}") for number, spec in enumerate(specs))
    ]


def used(row: SlotRow) -> list[list[str]]:
    """Returns the kinds of the slots in use, by variant."""
    return [[row.slots[place].spec.kind for place in places] for places in row.variants]


@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_children_of_every_depth_share_a_row_in_which_each_uses_as_many_blocks_as_it_has(blocks: int) -> None:
    child = filled(EMBEDDING, *[BLOCK] * blocks, NORM)
    row = shared_row(child, [BLOCK], at=1, most=3)
    assert used(row) == [["embedding", *["block"] * count, "norm"] for count in range(4)]
    assert [row.slots[place] for place in row.variants[row.variant]] == child
    assert not any(row.slots[place].layer for place in range(len(row.slots)) if place not in row.variants[row.variant])
    assert nameless([slot.spec for slot in row.slots]) == nameless([EMBEDDING, BLOCK, BLOCK, BLOCK, NORM])
    assert row.shape(together=False) == shared_row(filled(EMBEDDING, NORM), [BLOCK], at=1, most=3).shape(together=False)


def test_a_group_of_slots_is_a_block_with_what_may_come_after_it() -> None:
    child = filled(EMBEDDING, BLOCK, ADAPTER, NORM)
    row = shared_row(child, [BLOCK, ADAPTER], at=1, most=2)
    assert used(row) == [["embedding", *["block", "adapter"] * count, "norm"] for count in range(3)]
    assert [row.slots[place] for place in row.variants[row.variant]] == child


def test_where_the_row_begins_with_blocks_a_child_has_one_at_least() -> None:
    child = filled(BLOCK, BLOCK, NORM)
    row = shared_row(child, [BLOCK], at=0, most=3)
    assert used(row) == [[*["block"] * count, "norm"] for count in (1, 2, 3)]
    assert [row.slots[place] for place in row.variants[row.variant]] == child


@pytest.mark.parametrize("at", [0, -1])
def test_a_child_without_blocks_above_frozen_ones_has_a_row_of_its_depth(at: int) -> None:
    child = filled(NORM)
    assert shared_row(child, [BLOCK], at=at, most=3) == SlotRow.plain(child)


@pytest.mark.parametrize(
    "specs",
    [
        (EMBEDDING, BLOCK, LayerSpec.of("block", "block", width=8), NORM),
        (EMBEDDING, BLOCK, NORM, BLOCK),
        (EMBEDDING, NORM, BLOCK),
    ],
    ids=["of another size", "not in a row", "the last layer"],
)
def test_only_blocks_that_are_alike_and_in_a_row_share(specs: tuple[LayerSpec, ...]) -> None:
    child = filled(*specs)
    row = shared_row(child, [BLOCK], at=1, most=3)
    if specs[-1] is BLOCK and specs.count(BLOCK) == 1:
        assert used(row) == [["embedding", "norm", *["block"] * count] for count in range(4)]
    else:
        assert row == SlotRow.plain(child)


@pytest.mark.parametrize(("most", "variants"), [(1, 1), (2, 3), (4, 5), (5, 1)])
def test_a_row_has_room_for_four_blocks_and_for_those_that_a_child_has(most: int, variants: int) -> None:
    child = filled(EMBEDDING, BLOCK, BLOCK, NORM)
    assert len(shared_row(child, [BLOCK], at=1, most=most).variants) == variants


def test_without_blocks_to_come_a_row_is_the_childs_layers() -> None:
    child = filled(EMBEDDING, NORM)
    assert shared_row(child, [], at=1, most=3) == SlotRow.plain(child)


def test_a_row_for_one_child_alone_has_no_empty_slot_and_says_what_it_trains() -> None:
    first, last = filled(EMBEDDING, NORM)
    assert last.layer is not None
    shared = Slot(spec=last.spec, layer=replace(last.layer, trainable=False))
    row = own_row([first, Slot(spec=BLOCK, layer=None), shared])
    assert (row.slots, row.variants, row.is_own) == ((first, shared), ((0, 1),), True)
    assert row.shape(together=False).trainable == (True, False)
    assert SlotRow.plain([first, shared]).shape(together=False).trainable is None


def test_room_is_for_all_that_a_preset_may_come_to() -> None:
    space = replace(BENCH_PRESET.space, structural=("insert_adapter", "remove_adapter"))
    room = Room.of(replace(BENCH_PRESET, space=space), DenseFamily(), Classify())
    assert room == Room(kinds=space.structural, blocks=2, outputs=True, batch=16)
    one_depth = {
        part: {name: value for name, value in getattr(space, part).items() if name != "num_layers"}
        for part in ("values", "defaults")
    }
    assert Room.of(replace(BENCH_PRESET, space=replace(space, **one_depth)), DenseFamily(), Classify()).blocks is None
