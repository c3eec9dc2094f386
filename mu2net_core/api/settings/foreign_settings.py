"""Settings that others wrote: which of them are taken over, and how much work may follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mu2net_core.api.context import Context
from mu2net_core.api.settings.serving import presets_of
from mu2net_core.api.settings.settings import method_keys
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import LIMITS, Limits
from mu2net_core.presets import ARCHITECTURE, Preset, with_settings
from mu2net_core.repo import Config
from mu2net_core.repo.core import Value

__all__ = ["MOST_CYCLES", "fitting_settings"]

MOST_CYCLES = 1_000_000
"""So many training cycles does a repeated iteration have at most; ten times what a large one of ours has."""

_LONGEST_LIST = 256
_MOST: Mapping[str, int] = {
    "evolve.generations": 1_000,
    "evolve.children": 1_000,
    "evolve.validations": 1_000,
    "evolve.batch_size": 100_000,
    "evolve.min_steps": 10_000,
    "evolve.epochs": 1_000,
    "evolve.population_cap": 10_000,
    "evolve.samples_cap": 100_000_000,
    "evolve.validation_cap": 100_000_000,
}


def fitting_settings(config: Config, context: Context, limits: Limits = LIMITS) -> Config:
    """Returns another repository's ``config`` with only the settings that mean something here and stay in bounds.

    Where its data lies and what it accepts is its own business. A setting that is unknown here, or asks for more work
    than anybody means, is left out; where they do not fit the preset, all are, but for the sizes of its models. Of a
    repository of ``auto`` they have to fit one of the presets, as they did there: what they do not fit says so when it
    is used. The context is told what is left out.

    Args:
        config: of the other repository.
        context: of the call.
        limits: in force here.

    Raises:
        NotFoundError: the preset is unknown here.
    """
    presets, known = presets_of(config.preset), dict[str, Value]()
    keys = method_keys(*presets)
    for key, value in sorted(config.shared_settings.items()):
        reason = "it is unknown here" if key not in keys else _why_too_large(key, value, limits)
        if reason is None:
            known[key] = value
        else:
            context.warn(f"left out the setting {key} of that repository: {reason}")
    misfits = [misfit for preset in presets if (misfit := _misfit(preset, known)) is not None]
    if len(misfits) == len(presets):
        sizes = {key: value for key, value in known.items() if key.startswith(ARCHITECTURE)}
        known = sizes if all(_misfit(preset, sizes) is None for preset in presets) else {}
        left = "all settings of that repository" + (f" but {', '.join(known)}" if known else "")
        context.warn(f"left out {left}: {misfits[0]}")
    return replace(config, settings=known)


def _why_too_large(key: str, value: Value, limits: Limits) -> str | None:
    """Returns why a setting that others wrote asks for too much; None if it does not."""
    if isinstance(value, list) and len(value) > _LONGEST_LIST:
        return f"it lists {len(value)} values; expected up to {_LONGEST_LIST}"
    bounds = {
        "num_layers": limits.layers,
        "num_residual_blocks": limits.layers,
        "image_size": limits.image_side,
    }
    most = bounds.get(key.partition(".")[2], _MOST.get(key))
    numbers = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int | float)]
    if most is not None and any(number > most for number in numbers):
        return f"it is {str(max(numbers))[:40]}; of others up to {most} is taken over"
    return None


def _misfit(preset: Preset, settings: Mapping[str, Value]) -> str | None:
    """Returns why settings do not fit a preset; None if they do."""
    try:
        with_settings(preset, settings)
    except InvalidInputError as exc:
        return exc.message
    return None
