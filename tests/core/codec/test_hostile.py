"""Components as an attacker would write them: refused before memory is harmed, and never by an accident."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mu2net_core.codec.archive import write_archive
from mu2net_core.codec.component import decode_component, encode_component
from mu2net_core.codec.nodes import array_node
from mu2net_core.codec.root import PLAIN_GROUP, group_node
from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import Component, Limits
from mu2net_core.testing.building.samples import sample_component

ROOT = group_node({"mu2net": {"config": {}, "format": 1, "name": "x", "readers": None, "trained_by": []}})
GROUPS = {"zarr.json": ROOT, "params/zarr.json": PLAIN_GROUP}
GOOD = encode_component(sample_component("head", 3))
_MIB = 2**20


def archive(members: dict[str, bytes]) -> bytes:
    return write_archive(members, aligned=frozenset(name for name in members if not name.endswith("zarr.json")))


def with_array(document: bytes, data: bytes = b"\1\2", name: str = "a", key: str = "c/0") -> bytes:
    return archive({**GROUPS, f"params/{name}/zarr.json": document, f"params/{name}/{key}": data})


def document() -> bytes:
    return array_node((2,), "int8")


def shaped(shape: str) -> bytes:
    return document().replace(b"[2]", shape.encode())


def by_zipfile(compression: int, extra: Callable[[zipfile.ZipFile], None] = lambda _zip: None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target, zipfile.ZipFile(io.BytesIO(GOOD)) as source:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        extra(target)
    return buffer.getvalue()


def bomb() -> bytes:
    return by_zipfile(zipfile.ZIP_DEFLATED, lambda target: target.writestr("params/z/c/0", bytes(64 * _MIB)))


def test_the_good_ones_are_good() -> None:
    assert decode_component(with_array(document())).params["a"].tolist() == [1, 2]
    assert decode_component(GOOD).name == "head"


@pytest.mark.parametrize(
    "data",
    [
        by_zipfile(zipfile.ZIP_STORED),
        by_zipfile(zipfile.ZIP_DEFLATED),
        by_zipfile(zipfile.ZIP_STORED, lambda target: target.writestr("../../evil", b"x")),
        by_zipfile(zipfile.ZIP_STORED, lambda target: target.writestr("/etc/passwd", b"x")),
        bomb(),
        with_array(shaped("[1099511627776]")),
        with_array(shaped("[4294967296,4294967296]")),
        with_array(shaped("[18446744073709551616]")),
        with_array(shaped("[-2]")),
        with_array(shaped("[0]"), b""),
        with_array(shaped("[2.0]")),
        with_array(shaped("[true,2]"), key="c/0/0"),
        with_array(shaped("[1,1,1,1,1,1,1,1,2]"), key="c" + "/0" * 9),
        with_array(shaped("[" + "1," * 20_000 + "2]")),
        with_array(document().replace(b"int8", b"object")),
        with_array(document().replace(b"int8", b"|O")),
        with_array(document().replace(b"int8", b"int8,(99999999,)int8")),
        with_array(document().replace(b'"endian":"little"', b'"endian":"big"')),
        with_array(document().replace(b'"codecs":[', b'"codecs":[{"name":"gzip"},')),
        with_array(document(), b"\1"),
        with_array(document(), b"\1\2\3"),
        with_array(document(), name="../a"),
        with_array(document(), name="a/.."),
        with_array(document(), name="a b"),
        archive({**GROUPS, "params/a/c/0": b"\1\2"}),
        archive({**GROUPS, "params/a/zarr.json": document()}),
        archive({**GROUPS, "attack.py": b"import os"}),
        archive({**GROUPS, "params/a/zarr.json": b"[" * 60_000}),
        archive({**GROUPS, "params/a/zarr.json": b" " * 70_000}),
        archive({"zarr.json": b"{" * 100_000, "params/zarr.json": PLAIN_GROUP}),
        archive({"zarr.json": ROOT.replace(b'"x"', b'"' + b"x" * 70_000 + b'"'), "params/zarr.json": PLAIN_GROUP}),
        archive(
            {"zarr.json": ROOT.replace(b'"config":{}', b'"config":{"a":' + b"[" * 30_000), "params/zarr.json": b""}
        ),
        archive({"zarr.json": ROOT.replace(b'"format":1', b'"format":1,"format":1'), "params/zarr.json": PLAIN_GROUP}),
        archive({"zarr.json": ROOT.replace(b"{}", b'{"a":1e999}'), "params/zarr.json": PLAIN_GROUP}),
        archive({"zarr.json": ROOT.replace(b"{}", b'{"a":NaN}'), "params/zarr.json": PLAIN_GROUP}),
        GOOD + b"\0",
        b"MZ" + GOOD,
        GOOD + GOOD,
        b"",
        b"PK\5\6" + bytes(18),
        b"PK\5\6" + b"\xff" * 18,
    ],
    ids=lambda data: f"{len(data)} bytes",  # an archive's bytes hold the time, and every process shall call it the same
)
def test_what_is_no_component_is_refused_without_harm(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptObjectError, match="Not a component"):
            decode_component(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * _MIB
    finally:
        tracemalloc.stop()


def test_duplicate_and_overlapping_members_are_refused() -> None:
    members = {**GROUPS, "params/a/zarr.json": document(), "params/a/c/0": b"\1\2"}
    data = bytearray(archive(members))
    count, size, start = struct.unpack_from("<H2I", data, len(data) - 12)
    first = bytes(data[start : start + 46 + len("params/a/c/0")])
    twice = bytes(data[:start]) + first + bytes(data[start : start + size])
    twice += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count + 1, count + 1, size + len(first), start, 0)
    with pytest.raises(CorruptObjectError, match=r"not canonical|out of order"):
        decode_component(twice)
    struct.pack_into("<I", data, start + 42 + len(first), 0)  # the second member where the first is
    with pytest.raises(CorruptObjectError, match="not canonical"):
        decode_component(bytes(data))


@pytest.mark.parametrize("offset", [4, 6, 8, 10, 12, 16, 18])
def test_lies_in_the_end_record_are_refused(offset: int) -> None:
    data = bytearray(GOOD)
    struct.pack_into("<H", data, len(data) - 22 + offset, 0xFFFF)  # what zip64 writes there
    with pytest.raises(CorruptObjectError, match="Not a component"):
        decode_component(bytes(data))


def test_many_and_deep_names_cost_no_memory() -> None:
    deep = "/".join("a" * 250)
    members = {f"params/{deep}{n}/zarr.json": array_node((2,), "int8") for n in range(2_000)}
    members |= {f"params/{deep}{n}/c/0": b"\1\2" for n in range(2_000)}
    data = archive({**GROUPS, **members})
    tracemalloc.start()
    try:
        with pytest.raises(CorruptObjectError, match="foreign members"):
            decode_component(data)
        assert tracemalloc.get_traced_memory()[1] < 32 * _MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        (Limits(component_bytes=1_000), "over the limit"),
        (Limits(members=5), "over the limit of 5"),
        (Limits(array_dims=1), "up to 1 positive sizes"),
    ],
)
def test_limits_can_be_set(limits: Limits, complaint: str) -> None:
    with pytest.raises(CorruptObjectError, match=complaint):
        decode_component(GOOD, limits=limits)


def test_more_members_than_a_reader_takes_are_not_written() -> None:
    params = {f"p{n}": np.zeros(1, "<i1") for n in range(5_001)}
    with pytest.raises(InvalidInputError, match="more than 10000 members"):
        encode_component(Component(name="x", config={}, params=params))


Edit = tuple[int, int, bytes]
EDITS = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 64), st.binary(max_size=64))


@settings(max_examples=300)
@given(st.lists(EDITS, min_size=1, max_size=4))
@example([(0, 0, GOOD)])
def test_any_mutation_is_an_error_of_ours_or_the_same_component(edits: list[Edit]) -> None:
    data = GOOD
    for place, cut, inserted in edits:
        data = data[:place] + inserted + data[place + cut :]
    try:
        found = decode_component(data)
    except (CorruptObjectError, InvalidInputError):
        return
    assert encode_component(found) == data


@settings(max_examples=200)
@given(st.binary(max_size=400), st.binary(max_size=64))
def test_any_document_and_data_in_a_sound_archive(node: bytes, data: bytes) -> None:
    try:
        found = decode_component(with_array(node, data))
    except (CorruptObjectError, InvalidInputError):
        return
    assert encode_component(found) == with_array(node, data)
