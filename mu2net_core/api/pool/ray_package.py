"""The package ray, which is only needed where agents run on a Ray cluster."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from mu2net_core.errors import PluginError

__all__ = ["load_ray"]

_SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}
"""What Ray reads of a process: it tells nobody of itself, and prints none of its remarks among what is printed here."""


def load_ray() -> Any:
    """Returns the package ray.

    Raises:
        PluginError: it is not installed.
    """
    os.environ.update(_SILENT)
    try:
        return import_module("ray")
    except ImportError as exc:
        raise PluginError(
            f"Agents on a Ray cluster need the package ray: {exc}.",
            hint="Install it here and on every node: pip install 'mu2net[ray]'",
        ) from exc
