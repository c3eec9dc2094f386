"""What to do about damage, here or in a remote."""

from __future__ import annotations

__all__ = ["repair_hint", "repairing"]


def repairing(remote: str | None) -> str:
    """Returns the command that takes a good copy from elsewhere into a remote; None is the repository at hand."""
    if remote is None:
        return "mu2net fsck --repair-from REMOTE"
    return f"mu2net fsck --remote {remote} --repair-from ."


def repair_hint(remote: str | None) -> str:
    """Returns what to do about damage in a remote; None is the repository at hand."""
    if remote is None:
        return f"Run `mu2net fsck` to see what it touches, `{repairing(None)}` to restore it."
    return (
        f"In a working copy that has it: `{repairing(remote)}` restores it (`.` is that copy; another folder or remote "
        f"will do); `mu2net fsck --remote {remote}` says what it touches."
    )
