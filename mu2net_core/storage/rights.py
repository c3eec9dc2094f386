"""Who may do what in a folder that several people share."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path

from mu2net_core.storage.links import walk

__all__ = ["follow_folder", "is_shared", "is_strangers", "keep_from_others", "unshared", "who_may"]

_LOOKED_AT = 2000


def is_shared(folder: Path) -> bool:
    """Returns whether others than its owner may write to a folder."""
    return bool(folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def follow_folder(made: Path | int, folder: Path) -> None:
    """Lets those read and write a new file or folder who may write to the folder it lies in, whatever the umask says.

    That is its group, if the new one is of the same, and everybody; not so where all sorts of things lie and only their
    owners may delete them (as in /tmp).
    """
    above, below = folder.stat(), os.stat(made)  # noqa: PTH116  also of an open file
    is_common = above.st_mode & stat.S_ISVTX and not above.st_mode & stat.S_ISGID
    is_folder, rights = stat.S_ISDIR(below.st_mode), 0
    if above.st_mode & stat.S_IWGRP and above.st_gid == below.st_gid and not is_common:
        rights |= stat.S_IRGRP | stat.S_IWGRP
        rights |= above.st_mode & (stat.S_IXGRP | stat.S_ISGID) if is_folder else 0
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        rights |= stat.S_IROTH | stat.S_IWOTH
        rights |= above.st_mode & stat.S_IXOTH if is_folder else 0
    mode = stat.S_IMODE(below.st_mode)
    if mode | rights != mode:
        with suppress(OSError):  # of somebody else, or a file system without such rights: nothing to gain
            os.chmod(made, mode | rights)  # noqa: PTH101


def keep_from_others(folder: Path) -> None:
    """Lets nobody but its owner look into a new folder, and its group if that may write to the folder it lies in.

    So it is not where a folder is set up for a group or for everybody, or where the file system knows no such rights.
    """
    above = folder.parent.stat().st_mode
    if not above & (stat.S_IWOTH | stat.S_ISGID):
        with suppress(OSError):
            folder.chmod(folder.stat().st_mode & (0o770 if above & stat.S_IWGRP else 0o700))


def is_strangers(folder: Path) -> bool:
    """Returns whether another user, who is not root, has a folder in one that everybody may write to."""
    try:
        return folder.stat().st_uid not in {0, os.getuid()} and bool(folder.parent.stat().st_mode & stat.S_IWOTH)
    except (OSError, AttributeError):  # AttributeError: a system without such users
        return False


def unshared(root: Path) -> str | None:
    """Returns which folder of a repository its group may not write to, though it is set up for a group; None if none.

    That is so after it was made under a umask that takes the group its rights, by a program that follows the umask.
    """
    for folder, _ in islice(walk(root), _LOOKED_AT):
        try:
            found = folder.stat()
        except OSError:
            continue
        if found.st_mode & stat.S_ISGID and not found.st_mode & stat.S_IWGRP:
            owner, group = _owner_and_group(found)
            return f"{folder} is {owner}'s, and the group {group} may not write to it: chmod -R g+rwX {root}"
    return None


def who_may(path: object) -> str:
    """Returns what can be done where permissions forbid something: who owns the file, or the nearest folder seen."""
    for place in (Path(str(path)), *Path(str(path)).parents):
        try:
            found = place.stat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) or not os.access(place, os.R_OK):
            return _who_may_in(place, found)
    return "Check the owner and the permissions of that folder."


def _who_may_in(folder: Path, found: os.stat_result) -> str:
    owner, group = _owner_and_group(found)
    hint = f"Check the owner and the permissions: {folder} is {owner}'s, group {group}, {stat.filemode(found.st_mode)}."
    if found.st_mode & stat.S_ISGID and not found.st_mode & stat.S_IWGRP:
        hint += f" If the group shares it, {owner} can say: chmod -R g+rwX {folder}"
    return hint


def _owner_and_group(found: os.stat_result) -> tuple[str, str]:
    return _name("pwd", "getpwuid", found.st_uid), _name("grp", "getgrgid", found.st_gid)


def _name(module: str, function: str, number: int) -> str:
    """Returns the name of a user or group; the number where it has none, or the system knows no names."""
    try:
        return str(getattr(import_module(module), function)(number)[0])
    except (ImportError, KeyError):
        return str(number)
