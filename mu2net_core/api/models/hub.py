"""The cache that Hugging Face's own tools keep on a machine, which is read and never written here.

``models--ORG--NAME/refs/main`` there holds the revision that ``snapshots/REVISION`` is of.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.nn import PICKLES, SAFETENSORS

__all__ = ["cached_model", "is_hub_name", "name_in_cache"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[0-9a-f]{40}")
_FILES = (".npz", SAFETENSORS, *PICKLES)
_CACHED = re.compile(r"models--([A-Za-z0-9._-]+?)--([A-Za-z0-9._-]+)")


def is_hub_name(root: str) -> bool:
    """Returns whether a root could be the name of a model, ``ORG/NAME``, and not a path."""
    return _NAME.fullmatch(root) is not None and not root.lower().endswith(_FILES)


def cached_model(root: str, context: Context) -> Path | None:
    """Returns the folder of a model in the cache; None if it is not there."""
    if not is_hub_name(root):
        return None
    place = _cache(context) / f"models--{root.replace('/', '--')}"
    try:
        with (place / "refs" / "main").open(encoding="ascii") as file:
            revision = file.read(64).strip()
    except (OSError, UnicodeDecodeError):
        return None
    folder = place / "snapshots" / revision
    return folder if _REVISION.fullmatch(revision) and folder.is_dir() else None


def name_in_cache(path: Path) -> str | None:
    """Returns the name of the model whose folder in the cache ``path`` is; None if it is another folder."""
    match = _CACHED.fullmatch(path.parents[1].name) if path.parent.name == "snapshots" else None
    return None if match is None else f"{match[1]}/{match[2]}"


def _cache(context: Context) -> Path:
    environ = context.environ
    if named := environ.get("HF_HUB_CACHE"):
        return context.cwd / os.path.expanduser(named)  # noqa: PTH111  unlike Path's, knows no error
    home = environ.get("HF_HOME") or os.path.join(environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    return context.cwd / os.path.expanduser(home) / "hub"  # noqa: PTH111
