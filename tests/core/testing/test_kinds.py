"""The suites for kinds of layers and families notice what is wrong: each check with something it is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.nn import InputSpec, LayerKind, LayerSpec, VisionTransformer
from mu2net_core.nn.kinds import Adapter, PatchEmbedding
from mu2net_core.testing.conformance.families import FamilyTests
from mu2net_core.testing.conformance.kinds import LayerKindTests

SPEC = LayerSpec.of("adapter_0", "adapter", flow={"tokens": 3}, dim=2, width=4)
LARGER = LayerSpec.of("adapter_0", "adapter", flow={"tokens": 3}, dim=3, width=4)
CONFIG = {"image": 4, "patch": 2, "width": 4, "heads": 2, "mlp": 6, "channels": 3}
CHOSEN = {"num_layers": 1, "adapter_dim": 2}
STRUCTURE = ("adapter", "mlp")


def but(base: type, **wrong: Any) -> Any:
    """Returns an object of ``base``, some of whose methods or attributes are ``wrong``."""
    return type("Wrong", (base,), wrong)()


def returning(change: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an ``apply`` that changes what an adapter returns: ``change(made, params, x)``."""

    def apply(self, spec, params, x, **how):
        return change(Adapter.apply(self, spec, params, x, **how), params, x)

    return apply


def impure(_made, _params, x):
    return x + np.float32(np.random.default_rng().random())


def less(self, spec, arrays, rng):
    return {name: array[..., :1] for name, array in Adapter.adapted(self, spec, arrays, rng).items()}


def fresh(self, spec, arrays, rng):
    return Adapter.init(self, spec, np.random.default_rng())


def all_new(self, spec, arrays, rng):
    return Adapter.init(self, spec, rng, identity=False) | {"dense_1/bias": np.ones(4, np.float32)}


WRONG_KINDS: list[tuple[str, dict[str, Any]]] = [
    ("called_as_its_layers_call_it", {"name": "adapters"}),
    ("begins_with_finite", {"init": lambda self, spec, rng, identity=False: {}}),
    ("begins_with_finite", {"draw": lambda self, name, shape, rng, identity: np.nan}),
    ("depends_on_the_seed", {"draw": lambda self, name, shape, rng, identity: np.random.default_rng().random(shape)}),
    ("returns_the_declared_shape", {"gives": lambda self, spec: (4,)}),
    ("returns_the_declared_shape", {"apply": returning(lambda made, params, x: made - made.mean(axis=0))}),
    ("returns_the_declared_shape", {"apply": returning(lambda made, params, x: jnp.log(-jnp.abs(made)))}),
    ("decided_by_what_it_is_given", {"apply": returning(impure)}),
    ("numbers_it_is_asked_for", {"apply": returning(lambda made, params, x: made.astype(jnp.float32))}),
    ("gradients_are_finite", {"apply": returning(lambda made, params, x: jnp.sqrt(params["dense_1/bias"] * 0) + x)}),
    ("gradients_are_finite", {"apply": returning(lambda made, params, x: x)}),
    ("flops_are_those", {"flops": lambda self, spec, first_only=False: 1}),
    ("activations_are_no_fewer", {"activations": lambda self, spec: 11}),
    ("same_whether_or_not", {"apply": lambda self, spec, params, x, dtype, first_only=False: x + first_only}),
    ("passing_on_what_it_gets", {"draw": lambda self, name, shape, rng, identity: 1.0}),
    ("own_size_fit_as_they_are", {"adapted": all_new}),
    ("another_size_are_made_to_fit", {"adapted": less}),
    ("another_size_are_made_to_fit", {"adapted": fresh}),
    ("that_grew_computes_the_same", {"adapted": all_new}),
    ("in_its_slot", {"padding": lambda self, spec, array: 1.0}),
    ("in_its_slot", {"roomy": lambda self, spec: spec.enlarged("dim", 2 * spec.size("dim"))}),
    ("leaves_the_padding", {"padding": lambda self, spec, array: 1.0}),
    ("where_it_is_absent", {"apply": returning(lambda made, params, x: made[:, :1])}),
]


@pytest.mark.parametrize(("check", "wrong"), WRONG_KINDS, ids=[f"{check}-{[*w]}" for check, w in WRONG_KINDS])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_suite_for_kinds_notices(check: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        checked(LayerKindTests, check, kind=but(Adapter, **wrong), spec=SPEC, larger=LARGER, precision="bfloat16")


def forgetting(self, *args: Any) -> Any:
    return VisionTransformer.layers(self, *args)[:-1]


def twice(self, specs, kinds):
    return (*specs[:3], *specs[3:4], *specs[3:])


class _Tall(PatchEmbedding):
    """Returns a token too many, as it says."""

    def gives(self, spec: LayerSpec) -> tuple[int, ...]:
        return (1 + spec.size("tokens"), spec.size("width"))


class _Drawn(Adapter):
    """Computes something even where it is not there."""

    apply = returning(lambda made, params, x: made.at[..., 0].add(1))


def with_kind(kind: LayerKind) -> dict[str, Any]:
    return {"kinds": {**VisionTransformer.kinds, kind.name: kind}}


def larger_images(self, config, _hyperparameters):
    return InputSpec.image(6)


def outputs_everywhere(self, config, hyperparameters, num_outputs):
    return VisionTransformer.layers(self, {**config, "mlp": num_outputs}, hyperparameters, num_outputs)


def whatever_is_above(self, specs, row, x, **_others):
    return VisionTransformer.apply(self, specs, row, x)


WRONG_FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("names_of_their_own", {"layers": forgetting}),
    ("names_of_their_own", {"always_trainable": frozenset({"head", "neck"})}),
    ("names_of_their_own", {"kinds": {**VisionTransformer.kinds, "other": VisionTransformer.kinds["head"]}}),
    ("takes_what_the_one_below", with_kind(_Tall())),
    ("takes_what_the_one_below", {"input": larger_images}),
    ("only_the_head_depends", {"layers": outputs_everywhere}),
    ("cut_in_order", {"cuts": lambda self, specs: (1, 3)}),
    ("cut_in_order", {"stages": lambda self, specs: (0, 3, 2)}),
    ("cut_in_order", {"apply": whatever_is_above}),
    ("costs_are_numbers", {"flops": lambda self, specs: 0}),
    ("there_is_settled", {"settled": lambda self, values: {}}),
    ("change_of_structure", with_kind(_Drawn())),
    ("change_of_structure", {"added": lambda self, mutation, values: None}),
    ("change_of_structure", {"structural": lambda self, config, values, kinds: {}}),
    ("slots_with_room", with_kind(_Drawn())),
    ("slots_with_room", with_kind(but(Adapter, may_be_absent=False))),
    ("slots_with_room", {"slots": twice}),
]


@pytest.mark.parametrize(("check", "wrong"), WRONG_FAMILIES, ids=[f"{check}-{[*w]}" for check, w in WRONG_FAMILIES])
def test_the_suite_for_families_notices(check: str, wrong: dict[str, Any]) -> None:
    family = but(VisionTransformer, **wrong)
    specs = family.layers(CONFIG, CHOSEN, 3)
    given = {"family": family, "specs": specs, "config": CONFIG, "hyperparameters": CHOSEN, "structure": STRUCTURE}
    with pytest.raises(AssertionError):
        checked(FamilyTests, check, **given)


def checked(suite: type, check: str, **fixtures: Any) -> None:
    """Runs the one check of a suite whose name holds ``check``."""
    (name,) = [name for name in dir(suite) if name.startswith("test_") and check in name]
    method = getattr(suite(), name)
    wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    method(**{key: fixtures[key] for key in wanted})


@pytest.mark.parametrize("suite", [LayerKindTests, FamilyTests])
def test_every_check_of_the_suites_is_seen_to_fail(suite: type) -> None:
    seen = [check for check, _ in (WRONG_KINDS if suite is LayerKindTests else WRONG_FAMILIES)]
    for name in (name for name in dir(suite) if name.startswith("test_")):
        assert any(check in name for check in seen), name
