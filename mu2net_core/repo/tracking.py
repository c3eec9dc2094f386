"""What this working copy last saw of each remote: ``state/remotes/<name>.json``.

Only a memory, never an authority: it saves questions. Losing it costs one listing; a stale one is found out by the
remote's create-once entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import decode, encode
from mu2net_core.repo.config import Remote
from mu2net_core.repo.refs import HeadState
from mu2net_core.storage import replace_file

__all__ = ["Tracking", "forget_tracking", "read_tracking", "write_tracking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """The refs of a remote as they were last seen.

    Attributes:
        url: of the remote they belong to; a remote that moved is another one.
        heads: newest entry met, by task.
        tags: snapshot ids by name.
        roots: model ids by name.
    """

    url: str
    heads: Mapping[str, HeadState] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, str] = field(default_factory=dict)

    def with_head(self, state: HeadState) -> Tracking:
        """Returns a copy that knows one more entry."""
        return replace(self, heads={**self.heads, state.task: state})

    def with_tag(self, name: str, snapshot_id: str) -> Tracking:
        """Returns a copy that knows one more tag."""
        return replace(self, tags={**self.tags, name: snapshot_id})

    def with_root(self, name: str, model_id: str) -> Tracking:
        """Returns a copy that knows one more root."""
        return replace(self, roots={**self.roots, name: model_id})


def read_tracking(state: Path, remote: Remote) -> Tracking:
    """Returns what is known of ``remote``; nothing if it was never met, moved, or the note is damaged.

    Args:
        state: the folder of local state of the working copy.
        remote: whose note to read.
    """
    nothing = Tracking(url=remote.url)
    try:
        known = decode(_file(state, remote.name).read_bytes(), Tracking, what=f"what is known of {remote.name}")
    except (FileNotFoundError, CorruptObjectError):
        return nothing
    return known if known.url == remote.url else nothing


def write_tracking(state: Path, name: str, tracking: Tracking) -> None:
    """Stores what is known of the remote called ``name``."""
    replace_file(_file(state, name), encode(tracking))


def forget_tracking(state: Path, name: str) -> None:
    """Removes what is known of the remote called ``name``; nothing known is fine."""
    _file(state, name).unlink(missing_ok=True)


def _file(state: Path, name: str) -> Path:
    return state / "remotes" / f"{name.replace('/', '%')}.json"
