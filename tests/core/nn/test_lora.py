"""Low-rank changes of a block's matrices: what is computed with them, without them, and when they grow."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import Precision

from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ArchitectureFamily, Arrays, Bert, ByteTransformer, ConvNet, LayerSpec, VisionTransformer
from mu2net_core.nn.kinds import Lora
from mu2net_core.testing.conformance.kinds import padded_array, random_arrays, random_examples
from mu2net_core.testing.conformance.products import precisions

VIT, CONVNET, BYTES, BERT = VisionTransformer(), ConvNet(), ByteTransformer(), Bert()
PICTURES = {"image": 6, "patch": 2, "width": 8, "heads": 2, "mlp": 12, "channels": 3}
CASES: list[tuple[ArchitectureFamily, dict[str, Any], dict[str, Any]]] = [
    (VIT, PICTURES, {"num_layers": 2}),
    (VIT, PICTURES, {"num_layers": 2, "heads_1": 3, "mlp_1": 18, "adapter_1": 3}),
    (CONVNET, {**PICTURES, "stem": 4, "conv_width": 4}, {"num_layers": 2}),
    (CONVNET, {**PICTURES, "stem": 4, "conv_width": 4}, {"num_layers": 2, "attention_1": 2}),
    (BYTES, {**PICTURES, "rows": 16, "row_width": 4, "positions": 4}, {"num_layers": 2, "text_length": 16}),
    (BERT, {**PICTURES, "vocabulary": 8, "positions": 6, "pooling": "mean"}, {"num_layers": 2, "text_length": 5}),
]
FAMILIES = pytest.mark.parametrize(
    ("family", "config", "plain"), CASES, ids=lambda one: getattr(one, "name", None) or f"{len(one)}"
)
BLOCK = "block_1"


def computed(
    family: ArchitectureFamily, specs: tuple[LayerSpec, ...], row: list[Arrays], x: np.ndarray, present: Any = None
) -> np.ndarray:
    return np.asarray(jax.jit(lambda row, x, there: family.apply(specs, row, x, present=there))(row, x, present))


def with_lora(
    family: ArchitectureFamily, config: dict[str, Any], plain: dict[str, Any], rank: int = 2
) -> tuple[tuple[LayerSpec, ...], tuple[LayerSpec, ...]]:
    """Returns the layers of a model, and those of the same with a change of the matrices of its last block."""
    return family.layers(config, plain, 3), family.layers(config, {**plain, "lora_1": rank}, 3)


def rows_of(
    family: ArchitectureFamily, specs: tuple[LayerSpec, ...], changed: tuple[LayerSpec, ...], lora: Arrays | None = None
) -> tuple[list[Arrays], list[Arrays], np.ndarray]:
    """Returns random rows of both models, that differ in the change alone, a new one unless it is given; and inputs."""
    row = {spec.name: random_arrays(family.kind(spec), spec, place) for place, spec in enumerate(specs)}
    (spec,) = (spec for spec in changed if spec.name == "lora_1")
    new = {"lora_1": family.init(spec, np.random.default_rng(1), identity=True) if lora is None else lora}
    x = random_examples(family.kind(specs[0]), specs[0], 2)
    return list(row.values()), [(row | new)[one.name] for one in changed], x


@FAMILIES
def test_it_stands_right_before_its_block_and_at_first_the_model_computes_the_same(
    family: ArchitectureFamily, config, plain
) -> None:
    specs, changed = with_lora(family, config, plain)
    names = [spec.name for spec in changed]
    assert [name for name in names if name != "lora_1"] == [spec.name for spec in specs]
    assert names[names.index("lora_1") + 1].endswith(BLOCK)
    row, new, x = rows_of(family, specs, changed)
    np.testing.assert_allclose(computed(family, changed, new, x), computed(family, specs, row, x), rtol=1e-5, atol=1e-6)
    (lora,) = (spec for spec in changed if spec.name == "lora_1")
    block = row[next(index for index, spec in enumerate(specs) if spec.name.endswith(BLOCK))]
    arrays = family.init(lora, np.random.default_rng(1), identity=True)
    made = family.kind(lora).changed(lora, arrays, block)
    assert {name: np.asarray(array).tobytes() for name, array in made.items()} == {
        n: a.tobytes() for n, a in block.items()
    }


@FAMILIES
def test_it_adds_a_product_of_its_rank_to_every_kernel_of_the_blocks_products(
    family: ArchitectureFamily, config, plain
) -> None:
    specs, changed = with_lora(family, config, plain, rank=3)
    place = next(index for index, spec in enumerate(specs) if spec.name.endswith(BLOCK))
    (spec,) = (spec for spec in changed if spec.name == "lora_1")
    lora = random_arrays(family.kind(spec), spec, 7)
    row, new, x = rows_of(family, specs, changed, lora)
    products = {name.removesuffix("/down/kernel") for name in lora if name.endswith("/down/kernel")}
    block = family.shapes(specs[place])
    dense = {name.removesuffix("/kernel") for name in block if name.endswith("/kernel")} - {"depthwise"}
    assert products == dense
    by_hand = dict(row[place])
    for product in products:
        kernel = by_hand[f"{product}/kernel"]
        delta = lora[f"{product}/down/kernel"].astype(np.float64) @ lora[f"{product}/up/kernel"]
        assert np.linalg.matrix_rank(delta) == 3
        by_hand[f"{product}/kernel"] = (kernel + delta.reshape(kernel.shape)).astype(np.float32)
    expected = computed(family, specs, [*row[:place], by_hand, *row[place + 1 :]], x)
    found = computed(family, changed, new, x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(found - computed(family, specs, row, x)).max() > 1e-3


@FAMILIES
def test_one_program_serves_where_it_is_and_where_it_is_not_and_there_nothing_of_it_is_read(
    family: ArchitectureFamily, config, plain
) -> None:
    specs, changed = with_lora(family, config, plain)
    (spec,) = (spec for spec in changed if spec.name == "lora_1")
    lora = random_arrays(family.kind(spec), spec, 7)
    row, new, x = rows_of(family, specs, changed, lora)
    slots = family.slots(specs, ("lora",))
    assert family.slots(changed, ("lora",)) == family.slots(changed, ()) == slots
    assert [slot.name for slot in slots if slot.kind == "lora"] == ["lora_0", "lora_1"]
    told = {one.name: arrays for one, arrays in zip(changed, new, strict=True)}
    full = [
        {n: padded_array(family.kind(slot), slot, n, told.get(slot.name, {}).get(n)) for n in family.shapes(slot)}
        for slot in slots
    ]
    spoilt = [
        {name: np.full_like(array, np.nan) for name, array in arrays.items()} if slot.name == "lora_1" else arrays
        for slot, arrays in zip(slots, full, strict=True)
    ]
    run = jax.jit(lambda row, x, there: family.apply(slots, row, x, present=there))
    for arrays, own, there in ((full, changed, new), (spoilt, specs, row)):
        present = np.array([slot.name in {one.name for one in own} for slot in slots])
        made = np.asarray(run(arrays, x, present))[:, :3]
        np.testing.assert_allclose(made, computed(family, own, there, x), rtol=1e-4, atol=1e-4)
    assert run._cache_size() == 1


@pytest.mark.parametrize("present", [None, np.array([True, True, True, True, True, True, True])])
def test_what_it_adds_is_computed_in_float32_on_every_device(present: Any) -> None:
    family, config, plain = CASES[0]
    specs, changed = with_lora(family, config, plain)
    _, row, x = rows_of(family, specs, changed)
    there = None if present is None else present[: len(changed)]
    found = precisions(jax.grad(lambda row: family.apply(changed, row, x, present=there).sum()), row)
    assert found
    assert set(found) == {(Precision.HIGHEST,) * 2}


def test_it_and_its_block_are_run_together_and_cut_from_each_other_nowhere() -> None:
    for family, config, plain in CASES:
        _, changed = with_lora(family, config, {**plain, "adapter_1": 2})
        place = next(index for index, spec in enumerate(changed) if spec.name == "lora_1")
        assert changed[place - 1].name == "adapter_1"
        assert place + 1 not in family.stages(changed)
        assert not {place, place + 1} & set(family.cuts(changed))
        assert place - 1 in family.cuts(changed)


def test_gradients_reach_it_and_the_block_whether_or_not_it_may_be_absent() -> None:
    family, config, plain = CASES[0]
    specs, changed = with_lora(family, config, plain)
    (spec,) = (spec for spec in changed if spec.name == "lora_1")
    _, new, x = rows_of(family, specs, changed, random_arrays(family.kind(spec), spec, 7))
    place = [one.name for one in changed].index("lora_1")

    def loss(row: Any, present: Any) -> jax.Array:
        return jnp.sum(family.apply(changed, row, x, present=present) ** 2)

    slope = jax.jit(jax.grad(loss))
    always, there = slope(new, None), slope(new, np.ones(len(changed), bool))
    absent = slope(new, np.array([one.name != "lora_1" for one in changed]))
    for name in new[place]:
        np.testing.assert_allclose(there[place][name], always[place][name], rtol=1e-4, atol=1e-5)
        assert bool(always[place][name].any())
        assert not bool(absent[place][name].any())
    kernel = "dense_0/kernel"
    np.testing.assert_allclose(there[place + 1][kernel], always[place + 1][kernel], rtol=1e-4, atol=1e-5)
    assert bool(absent[place + 1][kernel].any())


def lora_spec(rank: int, **sizes: int) -> LayerSpec:
    return LayerSpec.of("lora_1", "lora", flow={"tokens": 4}, rank=rank, **{"width": 8, "mlp": 12, "inner": 8, **sizes})


@pytest.mark.parametrize("larger", [{"rank": 4}, {"mlp": 18}, {"inner": 12}, {"rank": 4, "mlp": 18, "inner": 12}])
def test_however_it_grows_it_adds_the_same_and_all_that_is_new_can_be_trained(larger: dict[str, int]) -> None:
    kind, small = Lora(), lora_spec(2)
    large = lora_spec(**{"rank": 2, **larger})
    arrays = random_arrays(kind, small, 1)
    grown = kind.adapted(large, arrays, np.random.default_rng(3))
    assert {name: array.shape for name, array in grown.items()} == {n: s for n, (s, _) in kind.shapes(large).items()}
    for product in ("attention/query", "attention/out", "dense_0", "dense_1"):
        before, after = (one[f"{product}/down/kernel"] @ one[f"{product}/up/kernel"] for one in (arrays, grown))
        room = np.zeros_like(after)
        room[: before.shape[0], : before.shape[1]] = before
        np.testing.assert_array_equal(after, room)
        if "rank" in larger:
            assert grown[f"{product}/down/kernel"][:8, 2:].all()
    with pytest.raises(InvalidInputError, match="does not fit into"):
        kind.adapted(small, random_arrays(kind, lora_spec(4), 1), np.random.default_rng(3))


def test_by_itself_it_passes_on_what_it_gets_begins_by_the_seed_alone_and_has_a_slot_for_every_rank() -> None:
    kind, spec = Lora(), lora_spec(4)
    x = np.random.default_rng(0).normal(size=(3, 4, 8)).astype(np.float32)
    made = kind.apply(spec, random_arrays(kind, spec, 1), x, dtype=jnp.dtype("float32"))
    np.testing.assert_array_equal(made, x)
    one, same = (kind.init(spec, np.random.default_rng(5), identity=identity) for identity in (False, True))
    assert all(np.array_equal(one[name], same[name]) and one[name].dtype == np.float32 for name in one)
    assert all(array.any() == name.endswith("down/kernel") for name, array in one.items())
    assert {kind.roomy(lora_spec(rank)) for rank in (2, 4, 8, 16)} == {lora_spec(16)}
    assert kind.roomy(kind.roomy(spec)) == kind.roomy(spec)
    assert (kind.flops(spec), kind.activations(spec), kind.takes(spec)) == (0, 4 * 8, (4, 8))


@FAMILIES
def test_one_is_inserted_with_the_least_rank_and_doubles_up_to_the_greatest(
    family: ArchitectureFamily, config, plain
) -> None:
    ranks, values = [], dict(plain)
    while changes := family.structural(config, values, ("lora",)):
        assert set(changes) <= {"add:lora_0", "add:lora_1", "grow:lora_1"}
        mutation = "add:lora_1" if "add:lora_1" in changes else "grow:lora_1"
        if mutation not in changes:
            break
        values |= changes[mutation]
        assert family.added(mutation, values) == ("lora_1" if mutation == "add:lora_1" else None)
        ranks.append(values["lora_1"])
    assert ranks == [2, 4, 8, 16]
    assert set(changes) == {"add:lora_0"}
    assert "lora_1" not in family.settled({**values, "num_layers": 1})
    assert family.structural(config, plain, ("adapter", "mlp", "heads")).keys().isdisjoint({"add:lora_0", "add:lora_1"})


@pytest.mark.parametrize("rank", [0, -1, 17, 2**40, 2.0, "2", True])
def test_a_rank_that_is_absurd_is_refused(rank: object) -> None:
    for family, config, plain in CASES:
        with pytest.raises(InvalidInputError, match=r"lora_1: expected a whole number from 1 to 16"):
            family.layers(config, {**plain, "lora_1": rank}, 3)
