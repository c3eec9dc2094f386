"""Which preset of the user's own a working copy was made with: a name that only this user's configuration explains.

The repository itself says what that preset is made from, and what it changes.
"""

from __future__ import annotations

from mu2net_core.repo import Repository
from mu2net_core.storage import replace_file

__all__ = ["note_own_preset", "own_preset"]

_FILE = "preset"


def note_own_preset(repo: Repository, name: str) -> None:
    """Notes which preset of the user's own a working copy was made with."""
    repo.state.mkdir(parents=True, exist_ok=True)
    replace_file(repo.state / _FILE, f"{name}\n".encode())


def own_preset(repo: Repository) -> str | None:
    """Returns the preset of the user's own that a working copy was made with; None if it was none, or elsewhere."""
    try:
        name = (repo.state / _FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return name or None
