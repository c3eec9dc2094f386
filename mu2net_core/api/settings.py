"""The preset in force: the repository's, with every layer of settings applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mu2net_core.api.context import Context
from mu2net_core.presets import Preset, preset_named, with_settings
from mu2net_core.repo import Repository
from mu2net_core.repo.config import Layers, read_user_config

__all__ = ["effective_preset", "known_keys"]


def known_keys(preset: Preset) -> tuple[str, ...]:
    """Returns every setting that can override something of ``preset``, sorted."""
    keys = [f"evolve.{field.name}" for field in fields(preset.training)]
    keys += [f"scorer.{field.name}" for field in fields(preset.scorer)]
    keys += [f"{section}.{name}" for section in ("space", "default") for name in preset.space.values]
    return tuple(sorted(keys))


def effective_preset(repo: Repository, context: Context, options: Mapping[str, Any] | None = None) -> Preset:
    """Returns the repository's preset under option > environment > repository > user settings.

    Args:
        repo: whose preset it is.
        context: for the environment and the user's configuration.
        options: by setting key; None values are left out.
    """
    preset = preset_named(repo.config.preset)
    layers = Layers(
        options={key: value for key, value in (options or {}).items() if value is not None},
        environ=context.environ,
        repository=repo.config.settings,
        user=read_user_config(context.user_config),
    )
    found = {key: setting.value for key in known_keys(preset) if (setting := layers.get(key)) is not None}
    return with_settings(preset, found)
