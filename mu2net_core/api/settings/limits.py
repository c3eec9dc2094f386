"""How much is accepted from others: apart from the other settings, as every command asks and most need no more."""

from __future__ import annotations

from collections.abc import Mapping

from mu2net_core.api.context import Context
from mu2net_core.api.settings.origins import blaming
from mu2net_core.objects import Limits
from mu2net_core.repo import Layers
from mu2net_core.repo.core import Value, read_user_config

__all__ = ["effective_limits"]


def effective_limits(context: Context, settings: Mapping[str, Value] | None = None) -> Limits:
    """Returns how much is accepted from others, by environment > ``settings`` of the repository > user settings.

    Raises:
        InvalidInputError: a limit is not a positive whole number.
    """
    layers = Layers(environ=context.environ, repository=settings or {}, user=read_user_config(context.user_config))
    found = [setting for key in Limits.settings_keys() if (setting := layers.get(key)) is not None]
    blaming(found, context, lambda setting: Limits.of({setting.key: setting.value}))
    return Limits.of({setting.key: setting.value for setting in found})
