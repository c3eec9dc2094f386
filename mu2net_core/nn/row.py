"""Rows of layers, whatever their kinds: running one, and where it may be cut.

What a layer above reads decides what the one below computes; of a part of a row, therefore, the first layer above the
part is given too. ``B`` is the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from mu2net_core.errors import InternalError
from mu2net_core.nn.kind import LayerKind
from mu2net_core.nn.spec import LayerSpec, Params, Precision

__all__ = ["Kinds", "cuts", "deciding", "flops", "kind_of", "run", "stages"]

Kinds = Mapping[str, LayerKind]
"""By name."""

_T = TypeVar("_T")
_U = TypeVar("_U")


def kind_of(kinds: Kinds, spec: LayerSpec) -> LayerKind:
    """Returns the kind of a layer.

    Raises:
        InternalError: it is not among ``kinds``.
    """
    if spec.kind not in kinds:
        raise InternalError(f"There is no layer of kind {spec.kind!r} among {', '.join(sorted(kinds))}.")
    return kinds[spec.kind]


def run(
    kinds: Kinds,
    specs: Sequence[LayerSpec],
    params: Sequence[Params],
    x: jax.Array,
    *,
    above: Sequence[LayerSpec] = (),
    precision: Precision = "float32",
    present: jax.Array | None = None,
) -> jax.Array:
    """Returns what the layers make of ``x`` [B, ...] for those ``above``, products in ``precision``.

    Products in float32 are that on every device, and neither TF32 as on GPUs nor bfloat16 as on TPUs, which are JAX's
    defaults there: models are compared across machines by what they are worth in float32.

    ``present``, bool [L], says at run time which of the layers that may be absent are there; None if all are.
    """
    each = zip(specs, params, _first_only(kinds, specs, above), strict=True)
    change: Callable[[Params], Params] | None = None
    for index, (spec, layer, first_only) in enumerate(each):
        kind = kind_of(kinds, spec)
        dtype = jnp.dtype("float32" if kind.in_float32 else precision)
        there = present[index] if present is not None and kind.may_be_absent else None
        if kind.changes_above:
            change = partial(_changed, layer, present=there, kind=kind, spec=spec.nameless)
            continue
        own, change = layer if change is None else change(layer), None
        x = _applied(own, x, there, kind=kind, spec=spec.nameless, dtype=dtype, first_only=first_only)
        if first_only:
            x = x[:, 0]
    return x


def flops(kinds: Kinds, specs: Sequence[LayerSpec]) -> int:
    """Returns the floating-point operations of ``run`` for one example."""
    each = zip(specs, _first_only(kinds, specs, ()), strict=True)
    return sum(kind_of(kinds, spec).flops(spec, first_only=first_only) for spec, first_only in each)


def deciding(kinds: Kinds, above: Sequence[LayerSpec]) -> tuple[LayerSpec, ...]:
    """Returns, of the layers above a part, those that decide how it is run; () if any would do."""
    return tuple(spec for spec in above[:1] if kind_of(kinds, spec).reads_first)


def cuts(kinds: Kinds, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
    """Returns at which indices a row may be cut into a frozen part and a trained part; 0 first, ascending."""
    below = [kind_of(kinds, spec).joined == "above" for spec in specs]
    return tuple(index for index in stages(kinds, specs) if index == 0 or not below[index - 1])


def stages(kinds: Kinds, specs: Sequence[LayerSpec]) -> tuple[int, ...]:
    """Returns where a row is cut to be run piece by piece: equal pieces share a program; 0 first, ascending."""

    def may_cut(index: int) -> bool:
        below, above = (kind_of(kinds, spec) for spec in specs[index - 1 : index + 1])
        return above.joined != "below" and not below.changes_above

    return (0, *filter(may_cut, range(1, len(specs))))


@partial(jax.jit, static_argnames=("kind", "spec", "dtype", "first_only"))
def _applied(
    params: Params,
    x: jax.Array,
    present: jax.Array | None,
    *,
    kind: LayerKind,
    spec: LayerSpec,
    dtype: jnp.dtype,
    first_only: bool,
) -> jax.Array:
    """Returns what a layer makes of ``x``, if it is there: traced and differentiated once for all that are alike."""
    run: Callable[[Params, jax.Array], jax.Array] = partial(kind.apply, spec, dtype=dtype, first_only=first_only)
    run = _in_float32(run) if dtype == jnp.float32 else run
    return run(params, x) if present is None else _if_present(run, dtype)(present, params, x)


@partial(jax.jit, static_argnames=("kind", "spec"))
def _changed(params: Params, above: Params, *, present: jax.Array | None, kind: LayerKind, spec: LayerSpec) -> Params:
    """Returns the arrays of the layer above as one that changes it makes them, if that is there."""
    run = _in_float32(partial(kind.changed, spec))
    if present is None:
        return run(params, above)
    made: Params = jax.lax.cond(present, run, lambda _params, above: above, params, above)
    return made


def _in_float32(run: Callable[[Params, _T], _U]) -> Callable[[Params, _T], _U]:
    """Returns ``run`` with products in float32 on every device: accelerators round them unless that is asked for."""

    def exact(params: Params, x: _T) -> _U:
        with jax.default_matmul_precision("highest"):
            return run(params, x)

    return exact


def _if_present(run: Callable[[Params, jax.Array], jax.Array], dtype: jnp.dtype) -> Callable[..., jax.Array]:
    """Returns ``run`` where the layer is there, else what passes ``x`` on.

    For the gradients it runs again and keeps nothing between: a layer that is absent would leave as much as one that
    is there, for nothing.
    """

    @jax.custom_vjp
    def given(present: jax.Array, params: Params, x: jax.Array) -> jax.Array:
        made: jax.Array = jax.lax.cond(present, run, lambda _params, x: x.astype(dtype), params, x)
        return made

    def forward(present: jax.Array, params: Params, x: jax.Array) -> tuple[jax.Array, tuple[Any, ...]]:
        return given(present, params, x), (present, params, x)

    def backward(kept: tuple[Any, ...], gradient: jax.Array) -> tuple[None, Params, jax.Array]:
        present, params, x = kept

        def through(params: Params, x: jax.Array, gradient: jax.Array) -> tuple[Params, jax.Array]:
            back: tuple[Params, jax.Array] = jax.vjp(run, params, x)[1](gradient)
            return back

        def past(params: Params, x: jax.Array, gradient: jax.Array) -> tuple[Params, jax.Array]:
            return jax.tree.map(jnp.zeros_like, params), gradient.astype(x.dtype)

        return (None, *jax.lax.cond(present, through, past, params, x, gradient))

    given.defvjp(forward, backward)
    return given


def _first_only(kinds: Kinds, specs: Sequence[LayerSpec], above: Sequence[LayerSpec]) -> list[bool]:
    """Returns for each of ``specs`` whether the layer after it reads its first token alone."""
    after = [kind_of(kinds, spec).reads_first for spec in (*specs[1:], *above[:1])]
    return [*after, False][: len(specs)]
