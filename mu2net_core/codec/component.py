"""A component to the bytes of its file and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from mu2net_core.codec.archive import read_archive, write_archive
from mu2net_core.codec.nodes import (
    array_node,
    check_array_name,
    check_shape,
    chunk_key,
    dtype_of,
    read_array_node,
)
from mu2net_core.codec.root import DOCUMENT, PLAIN_GROUP, read_root, root_node
from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import LIMITS, Component, Limits

__all__ = ["decode_component", "encode_component"]

_PARTS = ("params", "opt_state")


def encode_component(component: Component) -> bytes:
    """Returns the bytes of a component's ``.zarr.zip``: equal components give equal bytes.

    Raises:
        InvalidInputError: an array's name, shape or number type cannot be stored.
    """
    members: dict[str, bytes | memoryview] = {DOCUMENT: root_node(component.name, component.config, component.label)}
    aligned = set()
    for part, arrays in (("params", component.params), ("opt_state", component.opt_state)):
        _check_tree(arrays)
        if arrays or part == "params":
            members[f"{part}/{DOCUMENT}"] = PLAIN_GROUP
        for name, array in arrays.items():
            path = f"{part}/{check_array_name(name)}"
            members.update(_group_members(path))
            members[f"{path}/{DOCUMENT}"] = array_node(check_shape(array.shape), array.dtype.name)
            key = f"{path}/{chunk_key(array.ndim)}"
            members[key] = _data(array)
            aligned.add(key)
    return write_archive(members, aligned=frozenset(aligned))


def decode_component(data: bytes | memoryview, *, limits: Limits = LIMITS) -> Component:
    """Returns the component in the bytes of a ``.zarr.zip``; its arrays are read-only views of ``data``.

    Accepts exactly what ``encode_component`` makes, within ``limits``.

    Raises:
        CorruptObjectError: anything else.
    """
    members = read_archive(memoryview(data).toreadonly(), aligned_suffix=DOCUMENT, limits=limits)
    header = read_root(members.pop(DOCUMENT, None))
    arrays: dict[str, dict[str, np.ndarray]] = {part: {} for part in _PARTS}
    groups = set()
    for path in [name.removesuffix(f"/{DOCUMENT}") for name in members if name.endswith(f"/{DOCUMENT}")]:
        document = members.pop(f"{path}/{DOCUMENT}")
        if document == PLAIN_GROUP:
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


def _group_members(path: str) -> Iterator[tuple[str, bytes]]:
    """Yields the documents of the groups that the array at ``path`` lies in, below its part."""
    segments = path.split("/")
    for depth in range(2, len(segments)):
        yield f"{'/'.join(segments[:depth])}/{DOCUMENT}", PLAIN_GROUP


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
                group = document.removesuffix(f"/{DOCUMENT}")
                if group not in found:
                    return False
                used.add(group)
    return used == found
