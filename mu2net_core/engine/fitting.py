"""Whether what manifests and components say fits an architecture, checked before anything of that size is made.

Models come from whoever can push. So their hyperparameters, sizes and arrays are claims until they were compared with
the layers that the architecture itself asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TypeVar

from mu2net_core.data import modality_of
from mu2net_core.engine.blueprint import num_params
from mu2net_core.engine.optimizer import SGD, misshapen
from mu2net_core.engine.programs import EVALUATION_BATCH
from mu2net_core.errors import CorruptObjectError, Mu2netError
from mu2net_core.nn import ArchitectureFamily, InputSpec, LayerSpec, family_named
from mu2net_core.objects import LIMITS, Component, Hyperparameter, Limits, Model
from mu2net_core.presets import HYPERPARAMETERS
from mu2net_core.search import SearchSpace, block_stem

__all__ = ["can_give_blocks", "check_adaptable", "check_component", "model_specs", "unfit_parent"]

_BYTES = 4

_INHERITED: Mapping[str, Hyperparameter] = {
    "beta2": 0.0,
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "copy_all": 0.0,
    "optimizer": SGD,
}
"""What children inherit, in the space or not, each with a value of its kind."""

T = TypeVar("T")


def model_specs(
    model: Model, family: ArchitectureFamily, num_outputs: int, limits: Limits = LIMITS
) -> tuple[LayerSpec, ...]:
    """Returns the layers of a stored model.

    Raises:
        CorruptObjectError: its architecture cannot be built, its components are not the layers it asks for, or they
            are larger than ``limits``.
    """
    names = [ref.name for ref in model.components]
    _check_limit("layers", len(names), limits.layers)
    config, hyperparameters = model.architecture.config, model.hyperparameters
    input_spec = _built(lambda: family.input(config, hyperparameters))
    _check_input(input_spec, limits)
    specs = _built(lambda: family.layers(config, hyperparameters, num_outputs))
    if model.task is None:  # a root has no head: it solves no task
        specs = tuple(spec for spec in specs if spec.name != family.head)
    if names != [spec.name for spec in specs]:
        raise CorruptObjectError(
            f"The model's components {names[:50]} are not the {len(specs)} layers of its architecture."
        )
    _check_size(specs, input_spec, family, limits)
    return specs


def _check_size(
    specs: tuple[LayerSpec, ...], input_spec: InputSpec, family: ArchitectureFamily, limits: Limits
) -> None:
    """Checks that a model in the slots that it is run in is within the limits, before anything of its size is made."""
    _check_limit("layers", len(specs), limits.layers)
    _check_input(input_spec, limits)
    slots = tuple(map(family.roomy, specs))
    _check_limit("flops", family.flops(slots), limits.flops)
    batch_bytes = _BYTES * EVALUATION_BATCH * family.activations(slots)
    _check_limit("activation_bytes", batch_bytes, limits.activation_bytes)
    _check_limit("model_bytes", _BYTES * sum(num_params(family, slot) for slot in slots), limits.model_bytes)


def _check_input(input_spec: InputSpec, limits: Limits) -> None:
    """Checks the size of images; that of all else shows in what is computed with it."""
    if input_spec.kind == "image":
        _check_limit("image_side", max(input_spec.shape[:2]), limits.image_side)


def check_component(family: ArchitectureFamily, spec: LayerSpec, component: Component, oid: str) -> None:
    """Checks that a component's arrays are those of the layer ``spec``, and its optimizer's state likewise.

    Raises:
        CorruptObjectError: they are not.
    """
    where = f"Component {oid[:10]} ({spec.name})"
    if any(component.config.get(name) != value for name, value in spec.config.items()):
        raise CorruptObjectError(f"{where}: expected {spec.config}, found {_brief(dict(component.config))}.")
    expected = family.shapes(spec)
    found = {name: (array.shape, array.dtype.name) for name, array in component.params.items()}
    if found != expected:
        raise CorruptObjectError(f"{where}: expected the arrays {_brief(expected)}, found {_brief(found)}.")
    wrong = misshapen(component.opt_state, expected)
    if wrong is not None:
        raise CorruptObjectError(f"{where}: {wrong}.")


def check_adaptable(family: ArchitectureFamily, spec: LayerSpec, component: Component, oid: str) -> None:
    """Checks that a component is one of the layer ``spec``, whatever its size, so that it can be made to fit.

    Raises:
        CorruptObjectError: it is something else.
    """
    where = f"Component {oid[:10]} ({spec.name})"
    expected = {name: (len(shape), dtype) for name, (shape, dtype) in family.shapes(spec).items()}
    found = {name: (array.ndim, array.dtype.name) for name, array in component.params.items()}
    if component.config.get("kind") != spec.kind or found != expected:
        raise CorruptObjectError(
            f"{where}: expected a {spec.kind} with arrays of {_brief(expected)} dimensions, found "
            f"{_brief(component.config.get('kind'))} with {_brief(found)}."
        )


def unfit_parent(
    model: Model, family: ArchitectureFamily, space: SearchSpace, num_outputs: int, limits: Limits = LIMITS
) -> str | None:
    """Returns why children of ``model`` cannot be made, None if they can; looks at its manifest alone.

    Args:
        model: of any task, or a root.
        family: of the architecture that is evolved.
        space: in which hyperparameters move.
        num_outputs: of models of the model's task; any for a root.
        limits: of what is built.
    """
    if model.architecture.name != family.name:
        return f"it is of the architecture {model.architecture.name[:80]!r}, not {family.name}"
    if (reason := _unfit_values(model, space)) is not None:
        return reason
    try:
        _specs_as_large_as_told(model, family, num_outputs, limits)
    except Mu2netError as exc:
        return exc.message
    return _unfit_children(model, family, space, num_outputs, limits)


def can_give_blocks(
    model: Model, family: ArchitectureFamily, width: int, num_outputs: int, limits: Limits = LIMITS
) -> bool:
    """Returns whether blocks of ``model`` may fit into models of another architecture; looks at its manifest alone.

    Args:
        model: of any task.
        family: of the models that may take its blocks over.
        width: of their blocks.
        num_outputs: of models of the model's task.
        limits: of what is built.
    """
    try:
        specs = _specs_as_large_as_told(model, family_named(model.architecture.name), num_outputs, limits)
    except Mu2netError:
        return False
    blocks = (spec for spec in specs if block_stem(spec.name) and spec.kind in family.kinds)
    return any(spec.size("width", 0) == width for spec in blocks)


def _specs_as_large_as_told(
    model: Model, family: ArchitectureFamily, num_outputs: int, limits: Limits
) -> tuple[LayerSpec, ...]:
    """Returns the layers of a stored model; raises also CorruptObjectError if one is larger or smaller than told."""
    specs = model_specs(model, family, num_outputs, limits)
    for ref, spec in zip(model.components, specs, strict=True):
        if spec.name != family.head and ref.num_params != num_params(family, spec):  # heads are chosen by size
            raise CorruptObjectError(
                f"its {ref.name} has {ref.num_params} parameters, expected {num_params(family, spec)}"
            )
    return specs


def _unfit_values(model: Model, space: SearchSpace) -> str | None:
    """Returns which hyperparameter of ``model`` no child can inherit, None if all can be."""
    for name, default in space.defaults.items():
        if (value := model.hyperparameters.get(name)) is not None and not _alike(value, default):
            return f"its {name} is {_brief(value)}"
    if not 0 <= float(model.hyperparameters.get("mu", 0)) <= 1:
        return "its mu is no probability"
    for name, like in _INHERITED.items():
        value = model.hyperparameters.get(name, like)
        if not _alike(value, like) or not HYPERPARAMETERS[name].allows(value):
            return f"its {name} is {_brief(value)}"
    return None


def _unfit_children(
    model: Model, family: ArchitectureFamily, space: SearchSpace, num_outputs: int, limits: Limits
) -> str | None:
    """Returns why the largest and strangest children of ``model`` cannot be made, None if all can."""
    config, values = model.architecture.config, {**space.defaults, **model.hyperparameters}
    try:
        modality_of(family.input(config, values).kind).change(values)
        if family.settled(values) != values:
            return "it has structure of layers that it does not have"
        words = family.vocabulary
        deepest = {words.depth: space.values[words.depth][-1]} if words.depth in space.values else {}
        changes = family.structural(config, {**values, **deepest}, space.structural).values()
        grown = {name: value for sets in changes for name, value in sets.items() if name not in space.values}
        for size in space.values.get(words.input, (None,)):
            child = {**values, **deepest, **grown, **({} if size is None else {words.input: size})}
            _check_size(family.layers(config, child, num_outputs), family.input(config, child), family, limits)
    except (Mu2netError, KeyError, TypeError, ValueError, OverflowError) as exc:
        return f"its children cannot be built: {exc.message if isinstance(exc, Mu2netError) else exc}"
    return None


def _alike(value: Hyperparameter, default: Hyperparameter) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    return isinstance(value, int if isinstance(default, int) else int | float) and isfinite(value)


def _built(make: Callable[[], T]) -> T:
    """Returns what ``make`` makes of a manifest's claims.

    Raises:
        CorruptObjectError: it cannot.
    """
    try:
        return make()
    except (KeyError, TypeError, ValueError, OverflowError) as exc:
        reason = exc.message if isinstance(exc, Mu2netError) else f"{type(exc).__name__} {exc}."
        raise CorruptObjectError(f"The model cannot be built: {reason}") from exc


def _check_limit(name: str, found: int, limit: int) -> None:
    if found > limit:
        raise CorruptObjectError(
            f"The model is too large: {name} {found}, over the limit of {limit}.",
            hint=f"If you trust it: mu2net config set limits.{name} NUMBER",
        )


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
