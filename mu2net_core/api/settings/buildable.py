"""Whether models of a preset can be built at all, before anything is made or trained."""

from __future__ import annotations

from dataclasses import replace

from mu2net_core.engine import num_params
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ArchitectureFamily, family_named
from mu2net_core.objects import Hyperparameter, Limits
from mu2net_core.presets import Preset

__all__ = ["check_buildable"]


def check_buildable(preset: Preset, limits: Limits) -> None:
    """Checks that the family can build models at the ends of the space and every size of input, and the root's size.

    Raises:
        InvalidInputError: it cannot, it knows no such change of structure, or the root is larger than the limits.
    """
    family, config = family_named(preset.architecture.name), preset.architecture.config
    known = family.vocabulary.structural
    if not known.issuperset(preset.space.structural):
        raise InvalidInputError(
            f"space.structural: expected kinds of changes that {family.name} knows "
            f"({', '.join(sorted(known)) or 'none'}), got {list(preset.space.structural)}."
        )
    for name, values in sorted(preset.space.values.items(), key=lambda item: item[0] in family.vocabulary.added):
        for value in values if name == family.vocabulary.input else (values[0], values[-1]):
            _check(family, preset, name, value)
    specs = family.layers(config, preset.space.defaults, num_outputs=1)
    num_bytes = 4 * sum(num_params(family, replace(spec, name="")) for spec in specs)
    if num_bytes > limits.model_bytes:
        raise InvalidInputError(
            f"The root model would take {num_bytes} bytes, over the limit of {limits.model_bytes}.",
            hint="Choose smaller sizes, or a larger limits.model_bytes in your own settings.",
        )


def _check(family: ArchitectureFamily, preset: Preset, name: str, value: Hyperparameter) -> None:
    config, space = preset.architecture.config, preset.space
    chosen = {**space.defaults, name: value}
    try:
        family.layers(config, chosen, num_outputs=1)
        depth = family.vocabulary.depth
        if name in family.vocabulary.added and depth in space.values:
            deepest = {**chosen, depth: space.values[depth][-1]}
            for change in family.structural(config, deepest, space.structural).values():
                family.layers(config, {**deepest, **change}, num_outputs=1)
    except InvalidInputError as exc:
        raise InvalidInputError(
            f"No model can be built with {name} = {value}, which space.{name} lists. {exc.message}",
            hint=f"Where it was set: mu2net config list --origin. Set it anew: mu2net config set space.{name} LIST",
        ) from exc
