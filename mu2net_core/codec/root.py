"""The root document of a component's file: what it is called, how it is configured, and whose data trained it.

It is the last member of the archive, so that it is read without the numbers, and without NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mu2net_core.codec.archive import last_member
from mu2net_core.errors import CorruptObjectError, InternalError, NewerComponentError
from mu2net_core.objects import Label, encode, made_by_newer

__all__ = ["DOCUMENT", "MAX_DOCUMENT", "PLAIN_GROUP", "group_node", "read_label", "read_root", "root_node"]

DOCUMENT = "zarr.json"
MAX_DOCUMENT = 65_536
_FORMAT = 1


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """What the root document says of its component; keys as in docs/format.md."""

    config: dict[str, bool | int | float | str]
    format: int
    name: str
    readers: list[str] | None
    trained_by: list[str]

    @property
    def label(self) -> Label:
        """Whose data trained the component."""
        readers = None if self.readers is None else tuple(self.readers)
        return Label(trained_by=tuple(self.trained_by), readers=readers)


class _RootAttributes(msgspec.Struct, forbid_unknown_fields=True):
    mu2net: Header


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    attributes: _RootAttributes
    node_type: Literal["group"]
    zarr_format: Literal[3]


_READ_ROOT = msgspec.json.Decoder(_Root).decode  # made once: threads must not look into a class at the same time


def read_label(data: bytes | memoryview) -> Label:
    """Returns whose data trained the component in the bytes of a ``.zarr.zip``, without looking at its arrays.

    Only to be believed of bytes whose hash was checked, or that were stored here.

    Raises:
        CorruptObjectError: they are no component's, or that of a newer mu2net.
    """
    return read_root(last_member(memoryview(data), DOCUMENT)).label


def root_node(name: str, config: Mapping[str, int | float | str | bool], label: Label) -> bytes:
    """Returns the root document of a component; raises InternalError if its configuration cannot be stored."""
    wrong = [key for key, value in config.items() if not isinstance(value, bool | int | float | str)]
    if wrong:
        raise InternalError(f"Cannot store the configuration of {name}: {wrong} are not numbers, strings or booleans.")
    about = {
        "config": dict(config),
        "format": _FORMAT,
        "name": name,
        "readers": None if label.readers is None else list(label.readers),
        "trained_by": list(label.trained_by),
    }
    return group_node({"mu2net": about})


def read_root(document: memoryview | None) -> Header:
    """Returns what a root document says; None stands for one that is not there.

    Raises:
        CorruptObjectError: it is not as ``root_node`` makes it.
        NewerComponentError: a newer mu2net made it.
    """
    if document is None or len(document) > MAX_DOCUMENT:
        raise CorruptObjectError(f"Not a component: it has no {DOCUMENT} of at most {MAX_DOCUMENT} bytes.")
    try:
        header = _READ_ROOT(document).attributes.mu2net
        label = header.label
    except (msgspec.MsgspecError, KeyError, RecursionError, ValueError) as exc:
        _check_not_newer(document)
        raise CorruptObjectError(f"Not a component: its {DOCUMENT} is wrong ({exc}).") from exc
    if header.format != _FORMAT:
        _check_not_newer(document)
    if document != root_node(header.name, header.config, label):
        raise CorruptObjectError(f"Not a component: its {DOCUMENT} is not canonical.")
    return header


def _check_not_newer(document: memoryview) -> None:
    """Raises NewerComponentError if a root document that could not be read says that a newer mu2net made it."""
    try:
        attributes = msgspec.json.decode(document, type=dict[str, msgspec.Raw])["attributes"]
        about = msgspec.json.decode(attributes, type=dict[Literal["mu2net"], dict[str, object]])["mu2net"]
        found, unknown = about["format"], sorted(about.keys() - set(Header.__struct_fields__))
    except (msgspec.MsgspecError, KeyError, RecursionError, ValueError):
        return
    if isinstance(found, int) and found != _FORMAT:
        raise _newer(f"it is of format {found}, a future format; this mu2net reads format {_FORMAT}")
    if unknown:
        raise _newer(f"it has the keys {', '.join(key[:80] for key in unknown[:8])}")


def _newer(what: str) -> NewerComponentError:
    newer = made_by_newer("Cannot read a component", what)
    return NewerComponentError(newer.message, hint=newer.hint)


def group_node(attributes: Mapping[str, Any]) -> bytes:
    """Returns the document of a group."""
    return encode({"attributes": attributes, "node_type": "group", "zarr_format": 3})


PLAIN_GROUP = group_node({})
"""The document of a group that says nothing."""
