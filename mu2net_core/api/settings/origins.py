"""Where a setting was set, in words that lead there: a wrong value is mended where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mu2net_core.api.context import Context
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Setting
from mu2net_core.repo.core import environment_name

__all__ = ["ALL_VALUES", "blaming", "origin_text"]

ALL_VALUES = "All values and where they come from: mu2net config list --origin"


def origin_text(setting: Setting, context: Context) -> str:
    """Returns where a value was set."""
    place = {
        "option": f"the option --{_option(setting.key)}",
        "environment": f"the environment variable {environment_name(setting.key)}",
        "repository": "the repository's settings",
        "user": f"the user's settings in {context.user_config}",
        "default": "the preset",
    }
    return f"{place[setting.origin]} ({setting.key} = {setting.value!r})"


def _option(key: str) -> str:
    """Returns the option that stands in for a setting."""
    section, _, name = key.partition(".")
    return {"default": "space", "space": "space", "scorer": "scorer"}.get(section, name.replace("_", "-"))


def blaming(settings: Iterable[Setting], context: Context, check: Callable[[Setting], object]) -> None:
    """Checks settings one by one; the error of a wrong one says where it was set."""
    for setting in settings:
        try:
            check(setting)
        except Mu2netError as exc:
            message = f"{exc.message} Set by {origin_text(setting, context)}."
            raise type(exc)(message, hint=exc.hint) from exc
