"""A component to the bytes of its file and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np

from mu2net_core.codec.archive import last_member, read_archive, write_archive
from mu2net_core.codec.nodes import (
    MAX_DOCUMENT,
    array_node,
    check_array_name,
    check_shape,
    chunk_key,
    dtype_of,
    group_node,
    read_array_node,
)
from mu2net_core.errors import CorruptObjectError, InternalError, InvalidInputError
from mu2net_core.objects import LIMITS, Component, Label, Limits

__all__ = ["decode_component", "encode_component", "read_label"]

_DOCUMENT = "zarr.json"
_FORMAT = 1
_PARTS = ("params", "opt_state")


class _Header(msgspec.Struct, forbid_unknown_fields=True):
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
    mu2net: _Header


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    attributes: _RootAttributes
    node_type: Literal["group"]
    zarr_format: Literal[3]


_READ_ROOT = msgspec.json.Decoder(_Root).decode  # made once: threads must not look into a class at the same time


def encode_component(component: Component) -> bytes:
    """Returns the bytes of a component's ``.zarr.zip``: equal components give equal bytes.

    Raises:
        InvalidInputError: an array's name, shape or number type cannot be stored.
    """
    members: dict[str, bytes | memoryview] = {_DOCUMENT: _root(component.name, component.config, component.label)}
    aligned = set()
    for part, arrays in (("params", component.params), ("opt_state", component.opt_state)):
        _check_tree(arrays)
        if arrays or part == "params":
            members[f"{part}/{_DOCUMENT}"] = group_node()
        for name, array in arrays.items():
            path = f"{part}/{check_array_name(name)}"
            members.update(_group_members(path))
            members[f"{path}/{_DOCUMENT}"] = array_node(check_shape(array.shape), array.dtype.name)
            key = f"{path}/{chunk_key(array.ndim)}"
            members[key] = _data(array)
            aligned.add(key)
    return write_archive(members, aligned=frozenset(aligned))


def decode_component(data: bytes | memoryview, *, limits: Limits = LIMITS) -> Component:
    """Returns the component in the bytes of a ``.zarr.zip``; its arrays are read-only views of ``data``.

    Accepts exactly what ``encode_component`` makes, within ``limits``.

    Raises:
        CorruptObjectError: anything else.
        InvalidInputError: a component of a future format.
    """
    members = read_archive(memoryview(data).toreadonly(), aligned_suffix=_DOCUMENT, limits=limits)
    header = _read_root(members.pop(_DOCUMENT, None))
    arrays: dict[str, dict[str, np.ndarray]] = {part: {} for part in _PARTS}
    groups = set()
    for path in [name.removesuffix(f"/{_DOCUMENT}") for name in members if name.endswith(f"/{_DOCUMENT}")]:
        document = members.pop(f"{path}/{_DOCUMENT}")
        if document == group_node():
            groups.add(path)
            continue
        part, _, name = path.partition("/")
        if part not in _PARTS:
            raise CorruptObjectError(f"Not a component: it has a foreign array {path!r}.")
        arrays[part][_checked(name)] = _read_array(members, path, document, limits)
    if members or not _are_the_groups(groups, arrays):
        raise CorruptObjectError(f"Not a component: it has foreign members {sorted(members)[:3]} or groups.")
    return Component(
        name=header.name,
        config=header.config,
        params=arrays["params"],
        opt_state=arrays["opt_state"],
        label=header.label,
    )


def read_label(data: bytes | memoryview) -> Label:
    """Returns whose data trained the component in the bytes of a ``.zarr.zip``, without looking at its arrays.

    Only to be believed of bytes whose hash was checked, or that were stored here.

    Raises:
        CorruptObjectError: they are no component's.
        InvalidInputError: a component of a future format.
    """
    return _read_root(last_member(memoryview(data), _DOCUMENT)).label


def _root(name: str, config: Mapping[str, int | float | str | bool], label: Label) -> bytes:
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


def _group_members(path: str) -> Iterator[tuple[str, bytes]]:
    """Yields the documents of the groups that the array at ``path`` lies in, below its part."""
    segments = path.split("/")
    for depth in range(2, len(segments)):
        yield f"{'/'.join(segments[:depth])}/{_DOCUMENT}", group_node()


def _data(array: np.ndarray) -> memoryview:
    """Returns the array's numbers in C order, little-endian."""
    contiguous = np.ascontiguousarray(array, dtype=dtype_of(array.dtype.name))
    return contiguous.reshape(-1).view(np.uint8).data


def _check_tree(names: Iterable[str]) -> None:
    """Raises InvalidInputError if an array lies inside another array."""
    known = set(names)
    for name in known:
        segments = name.split("/")
        outer = next((o for i in range(1, len(segments)) if (o := "/".join(segments[:i])) in known), None)
        if outer is not None:
            raise InvalidInputError(f"Cannot store a component: the array {outer!r} has others inside: {name!r}.")


def _read_root(document: memoryview | None) -> _Header:
    if document is None or len(document) > MAX_DOCUMENT:
        raise CorruptObjectError(f"Not a component: it has no {_DOCUMENT} of at most {MAX_DOCUMENT} bytes.")
    try:
        attributes = msgspec.json.decode(document, type=dict[str, msgspec.Raw])["attributes"]
        found = msgspec.json.decode(attributes, type=dict[Literal["mu2net"], dict[str, object]])["mu2net"]["format"]
        if isinstance(found, int) and found != _FORMAT:
            raise InvalidInputError(
                f"Cannot read a component: it is of format {found}, a future format; this mu2net reads {_FORMAT}.",
                hint="Upgrade: pip install -U mu2net",
            )
        header = _READ_ROOT(document).attributes.mu2net
        label = header.label
    except (msgspec.MsgspecError, KeyError, RecursionError, ValueError) as exc:
        raise CorruptObjectError(f"Not a component: its {_DOCUMENT} is wrong ({exc}).") from exc
    if document != _root(header.name, header.config, label):
        raise CorruptObjectError(f"Not a component: its {_DOCUMENT} is not canonical.")
    return header


def _read_array(members: dict[str, memoryview], path: str, document: memoryview, limits: Limits) -> np.ndarray:
    info = read_array_node(document, path, limits)
    chunk = members.pop(f"{path}/{chunk_key(len(info.shape))}", None)
    dtype = dtype_of(info.dtype_name)
    expected = int(np.prod(info.shape, dtype=np.int64)) * dtype.itemsize
    if chunk is None or len(chunk) != expected:
        found = "none" if chunk is None else f"{len(chunk)}"
        raise CorruptObjectError(f"Not a component: {path} should have {expected} bytes of numbers, has {found}.")
    return np.frombuffer(chunk, dtype=dtype).reshape(info.shape)


def _checked(name: str) -> str:
    try:
        return check_array_name(name)
    except InvalidInputError as exc:
        raise CorruptObjectError(f"Not a component: {exc.message}") from exc


def _are_the_groups(found: set[str], arrays: Mapping[str, Mapping[str, np.ndarray]]) -> bool:
    """Returns whether ``found`` are exactly the groups that ``arrays`` lie in; keeps no more than those."""
    used = {"params"} | {part for part in _PARTS if arrays[part]}
    for part in _PARTS:
        for name in arrays[part]:
            for document, _ in _group_members(f"{part}/{name}"):
                group = document.removesuffix(f"/{_DOCUMENT}")
                if group not in found:
                    return False
                used.add(group)
    return used == found
