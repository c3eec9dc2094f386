"""Names of tasks, tags, remotes and roots, checked so that they are safe as paths on every file system."""

from __future__ import annotations

import re
from functools import lru_cache

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects.oid import hash_bytes

__all__ = ["check_name", "file_name", "is_identity", "is_name"]

_LONGEST = 100
_SEGMENT = re.compile(rf"[a-z0-9][a-z0-9._+-]{{0,{_LONGEST - 1}}}")
_ENTRY = re.compile(r"[0-9]{8}")
_IDENTITY = re.compile(r"[0-9a-f]{32}")
_RESERVED = {"con", "prn", "aux", "nul"}


def check_name(name: str, what: str = "name") -> str:
    """Returns ``name`` unchanged.

    A name is one to eight segments joined by ``/``; a segment has up to 100 characters, lower-case letters, digits,
    ``. _ + -``, starts with a letter or digit, does not end with a dot, and is not eight digits (those number the
    entries of a head).

    Raises:
        InvalidInputError: it breaks one of these rules.
    """
    if not is_name(name):
        raise InvalidInputError(
            f"Not a {what}: {name[:120]!r}. Expected up to 8 segments of a-z 0-9 . _ + - joined by '/', "
            f"each of at most {_LONGEST} characters, starting with a letter or digit, not ending with a dot, "
            "not eight digits.",
        )
    return name


@lru_cache(maxsize=4096)  # every manifest names the same few tasks
def is_name(name: str) -> bool:
    """Returns whether ``name`` keeps the rules of ``check_name``."""
    segments = name.split("/")
    return len(segments) <= 8 and all(map(_is_segment, segments))


def is_identity(text: str) -> bool:
    """Returns whether ``text`` can be the identity of a repository: 32 lower-case hex digits."""
    return _IDENTITY.fullmatch(text) is not None


def file_name(name: str) -> str:
    """Returns what a local file or folder about ``name`` is called: short whatever the name, and telling nothing of it.

    So a file that is left over does not keep the name of a task that was purged.
    """
    return hash_bytes(name.encode())[:32]


def _is_segment(segment: str) -> bool:
    return bool(
        _SEGMENT.fullmatch(segment)
        and not _ENTRY.fullmatch(segment)
        and not segment.endswith(".")
        and segment.partition(".")[0] not in _RESERVED
    )
