from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from mu2net_core.codec.archive import write_archive
from mu2net_core.codec.component import decode_component, encode_component
from mu2net_core.codec.nodes import array_node
from mu2net_core.codec.root import PLAIN_GROUP, group_node, read_label
from mu2net_core.errors import CorruptObjectError, InternalError, InvalidInputError, NewerComponentError
from mu2net_core.objects import PUBLIC, AccessRule, Component, Label, hash_bytes, narrowest
from mu2net_core.testing.building.samples import sample_component

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", BFLOAT16),
]


def _component(**params: Any) -> Component:
    return Component(name="x", config={}, params={name: np.asarray(value) for name, value in params.items()})


def _assert_same(found: Component, expected: Component) -> None:
    assert (found.name, found.config) == (expected.name, expected.config)
    for mine, theirs in ((found.params, expected.params), (found.opt_state, expected.opt_state)):
        assert set(mine) == set(theirs)
        for name, array in theirs.items():
            assert mine[name].dtype.name == array.dtype.name
            assert mine[name].shape == array.shape
            assert mine[name].astype(array.dtype).tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 1, 3)], ids=str)
def test_every_number_type_and_shape_comes_back(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.arange(1, 1 + int(np.prod(shape))).reshape(shape).astype(dtype)
    component = Component(name="x", config={}, params={"a": values}, opt_state={"momentum/a": values})
    _assert_same(decode_component(encode_component(component)), component)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0, 5e-324])
def test_odd_numbers_come_back(value: float) -> None:
    component = _component(a=np.array([value]))
    _assert_same(decode_component(encode_component(component)), component)


def test_layout_and_order_in_memory_make_no_difference() -> None:
    rows = np.arange(12, dtype="<f4").reshape(3, 4)
    same = [rows, np.asfortranarray(rows), rows.astype(">f4"), np.tile(rows, (1, 2))[:, :4]]
    assert len({encode_component(_component(a=array)) for array in same}) == 1
    first = Component(name="x", config={"a": 1, "b": 2}, params={"a": rows, "b": rows})
    second = Component(name="x", config={"b": 2, "a": 1}, params={"b": rows, "a": rows})
    assert encode_component(first) == encode_component(second)


def test_what_differs_differs() -> None:
    one = np.ones(2, "<f4")
    variants = [
        Component(name="x", config={}, params={"a": one}),
        Component(name="y", config={}, params={"a": one}),
        Component(name="x", config={"k": 1}, params={"a": one}),
        Component(name="x", config={"k": 1.0}, params={"a": one}),
        Component(name="x", config={"k": True}, params={"a": one}),
        Component(name="x", config={}, params={"b": one}),
        Component(name="x", config={}, params={"a": one.astype("<f8")}),
        Component(name="x", config={}, params={"a": one.reshape(2, 1)}),
        Component(name="x", config={}, params={"a": one}, opt_state={"a": one}),
    ]
    assert len({encode_component(variant) for variant in variants}) == len(variants)


def test_config_keeps_its_types() -> None:
    config = {"i": 1, "f": 1.0, "b": True, "s": "é"}
    found = decode_component(encode_component(Component(name="x", config=config, params={}))).config
    assert found == config
    assert [type(found[key]) for key in config] == [int, float, bool, str]


def test_the_bytes_are_pinned() -> None:
    component = Component(
        name="head",
        config={"classes": 2, "scale": 0.5},
        params={"bias": np.zeros(2, "<f4"), "dense/kernel": np.arange(6, dtype="<f4").reshape(3, 2)},
        opt_state={"momentum/bias": np.ones(2, BFLOAT16)},
    )
    data = encode_component(component)
    assert (len(data), hash_bytes(data)) == (2782, "999bc050b62dc599c0c42b3f024af057624d9d6f92664ed9e71c06db09a0a17c")


def test_zarr_opens_it(tmp_path: Path) -> None:
    component = sample_component("head", 3)
    (tmp_path / "head.zarr.zip").write_bytes(encode_component(component))
    store = zarr.storage.ZipStore(tmp_path / "head.zarr.zip", mode="r")
    group = zarr.open_group(store, mode="r")
    assert group.attrs["mu2net"] == {
        "format": 1,
        "name": "head",
        "config": {"width": 4},
        "readers": None,
        "trained_by": [],
    }
    for name, array in component.params.items():
        np.testing.assert_array_equal(group[f"params/{name}"][...], array)  # type: ignore[index]
    np.testing.assert_array_equal(group["opt_state/momentum/kernel"][...], 0)  # type: ignore[index]
    store.close()


def test_zarr_shows_bfloat16_as_its_bits(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], BFLOAT16)
    (tmp_path / "x.zarr.zip").write_bytes(encode_component(_component(a=values)))
    store = zarr.storage.ZipStore(tmp_path / "x.zarr.zip", mode="r")
    array = zarr.open_group(store, mode="r")["params/a"]
    assert array.attrs["mu2net"] == {"dtype": "bfloat16"}
    np.testing.assert_array_equal(array[...].view(BFLOAT16), values)  # type: ignore[index, union-attr]
    store.close()


def test_zip_tools_find_it_whole_dated_1980_stored_and_aligned(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr.zip"
    path.write_bytes(encode_component(sample_component("head", 3)))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos] == sorted(info.filename for info in infos)
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    mapped = np.memmap(path, mode="r")
    found = decode_component(memoryview(mapped))
    for array in (*found.params.values(), *found.opt_state.values()):
        assert (array.ctypes.data - mapped.ctypes.data) % 64 == 0
        assert np.shares_memory(array, mapped)
        assert not array.flags.writeable


def test_decoding_needs_no_zarr() -> None:
    import subprocess
    import sys

    for room, heavy in (("component", "'zarr', 'fsspec', 'jax', 'ml_dtypes'"), ("root", "'zarr', 'numpy'")):
        code = f"import sys, mu2net_core.codec.{room}; sys.exit(bool({{{heavy}}} & set(sys.modules)))"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "a/../b", ".a", "_a", "a b", "é", "a" * 600, "a/zarr.json"])
def test_unsafe_array_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="Not an array name"):
        encode_component(_component(**{name: 1.0}))


@pytest.mark.parametrize("names", [("a", "a/b"), ("a", "a/c/0"), ("a/b", "a/b/c/d")])
def test_arrays_inside_arrays_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(InvalidInputError, match="has others inside"):
        encode_component(_component(**dict.fromkeys(names, 1.0)))


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.array([1j]), np.array(["2026"], "M8")])
def test_other_number_types_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="Cannot store numbers of type"):
        encode_component(_component(a=array))


def test_empty_arrays_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"shape \(0, 3\)"):
        encode_component(_component(a=np.zeros((0, 3))))


@pytest.mark.parametrize("value", [[1], None, {"a": 1}])
def test_a_configuration_of_other_things_is_refused(value: Any) -> None:
    with pytest.raises(InternalError, match="the configuration of x"):
        encode_component(Component(name="x", config={"k": value}, params={}))


def test_every_changed_byte_is_noticed() -> None:
    data = encode_component(sample_component("head", 3))
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises((CorruptObjectError, InvalidInputError)):
            decode_component(bytes(changed))


def test_every_cut_and_addition_is_noticed() -> None:
    data = encode_component(_component(a=np.ones(3)))
    for end in range(0, len(data), 7):
        with pytest.raises(CorruptObjectError, match="Not a component"):
            decode_component(data[:end])
    for other in (data + b"\0", b"\0" + data, data + data, data[:100] + b"x" + data[100:]):
        with pytest.raises(CorruptObjectError, match="Not a component"):
            decode_component(other)


def root_node(**about: object) -> bytes:
    whole = {"config": {}, "format": 1, "name": "x", "readers": None, "trained_by": []}
    return group_node({"mu2net": {**whole, **about}})


_ROOT = root_node()
_GOOD: dict[str, bytes] = {
    "zarr.json": _ROOT,
    "params/zarr.json": PLAIN_GROUP,
    "params/a/zarr.json": array_node((2,), "int8"),
    "params/a/c/0": b"\1\2",
}
_HUGE = array_node((2,), "float64").replace(b"[2]", b"[2000000000000]")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"zarr.json": None}, "has no zarr.json"),
        ({"zarr.json": b"{}"}, "its zarr.json is wrong"),
        ({"zarr.json": b"not json"}, "its zarr.json is wrong"),
        ({"zarr.json": _ROOT + b" "}, "not canonical"),
        ({"zarr.json": root_node(config={"a": None})}, "is wrong"),
        ({"zarr.json": root_node(format=2)}, "made by a newer mu2net: it is of format 2, a future format"),
        ({"zarr.json": root_node(bits=4)}, "made by a newer mu2net: it has the keys bits"),
        ({"zarr.json": root_node(trained_by=["b", "a"])}, "sorted and distinct"),
        ({"zarr.json": root_node(trained_by=["a", "a"])}, "sorted and distinct"),
        ({"zarr.json": root_node(readers=["b", "a"])}, "sorted and distinct"),
        ({"zarr.json": root_node(trained_by=["../a"])}, "is wrong"),
        ({"zarr.json": root_node(trained_by=None)}, "is wrong"),
        ({"zarr.json": group_node({"mu2net": {"config": {}, "format": 1, "name": "x"}})}, "missing required field"),
        ({"params/zarr.json": None}, "foreign members"),
        ({"params/b/zarr.json": PLAIN_GROUP}, "foreign members"),
        ({"opt_state/zarr.json": PLAIN_GROUP}, "foreign members"),
        ({"params/extra": b""}, "foreign members"),
        ({"params/a/c/1": b"\1\2"}, "foreign members"),
        ({"other/a/zarr.json": array_node((2,), "int8"), "other/a/c/0": b"\1\2"}, "foreign array 'other/a'"),
        ({"params/a/c/0": None}, "should have 2 bytes of numbers, has none"),
        ({"params/a/c/0": b"\1"}, "should have 2 bytes of numbers, has 1"),
        ({"params/a/c/0": b"\1\2\3"}, "should have 2 bytes of numbers, has 3"),
        ({"params/a/zarr.json": array_node((3,), "int8")}, "should have 3 bytes of numbers, has 2"),
        ({"params/a/zarr.json": _HUGE}, "document of params/a is wrong"),
        ({"params/a/zarr.json": array_node((-2,), "int8")}, "document of params/a is wrong"),
        ({"params/a/zarr.json": array_node((1,) * 9, "int8")}, "document of params/a is wrong"),
        ({"params/a/zarr.json": array_node((2,), "object")}, "document of params/a is wrong"),
        ({"params/a/zarr.json": array_node((2,), "int8") + b"\n"}, "not canonical"),
        ({"params/a/zarr.json": array_node((2,), "int8").replace(b"little", b"big")}, "not canonical"),
        ({"params/a/zarr.json": b" " * 70_000}, "has 70000 bytes"),
        ({"params/../a/zarr.json": array_node((2,), "int8"), "params/../a/c/0": b"\1\2"}, "Not an array name"),
    ],
)
def test_an_archive_that_is_no_component(changes: dict[str, bytes | None], message: str) -> None:
    members = {name: data for name, data in {**_GOOD, **changes}.items() if data is not None}
    data = write_archive(members, aligned=frozenset(name for name in members if not name.endswith("zarr.json")))
    with pytest.raises((CorruptObjectError, InvalidInputError), match=message):
        decode_component(data)


def test_the_untouched_archive_is_a_component() -> None:
    aligned = frozenset({"params/a/c/0"})
    assert decode_component(write_archive(_GOOD, aligned=aligned)).params["a"].tolist() == [1, 2]
    with pytest.raises(CorruptObjectError, match="header of member 'params/a/c/0' is not canonical"):
        decode_component(write_archive(_GOOD))


def test_archives_of_other_tools_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in sorted(_GOOD):
            archive.writestr(name, _GOOD[name])
    with pytest.raises(CorruptObjectError, match="Not a component"):
        decode_component((tmp_path / "x.zip").read_bytes())


_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,5}(/[a-z0-9]{1,4}){0,2}", fullmatch=True)
_ARRAYS = st.tuples(
    st.sampled_from(TYPES), st.lists(st.integers(1, 4), max_size=3).map(tuple), st.integers(0, 2**32)
).map(lambda t: np.random.default_rng(t[2]).integers(0, 100, t[1]).astype(t[0]))
_CONFIG = st.dictionaries(
    st.text(max_size=8),
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    max_size=4,
)


@settings(max_examples=100)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    config=_CONFIG,
    params=st.dictionaries(_NAMES, _ARRAYS, max_size=4),
    opt_state=st.dictionaries(_NAMES, _ARRAYS, max_size=4),
)
def test_decoding_undoes_encoding(name: str, config: Any, params: Any, opt_state: Any) -> None:
    component = Component(name=name, config=config, params=params, opt_state=opt_state)
    nested = any(a.startswith(f"{b}/") for arrays in (params, opt_state) for a in arrays for b in arrays)
    if nested:
        with pytest.raises(InvalidInputError, match="has others inside"):
            encode_component(component)
        return
    data = encode_component(component)
    found = decode_component(data)
    _assert_same(found, component)
    assert encode_component(found) == data


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_politely(data: bytes) -> None:
    with pytest.raises(CorruptObjectError, match="Not a component"):
        decode_component(data)


@pytest.mark.parametrize("readers", [None, (), ("team-a", "x/y")])
@pytest.mark.parametrize("trained_by", [(), ("a",), ("a", "b/c")])
def test_a_label_is_read_without_the_arrays(trained_by: tuple[str, ...], readers: tuple[str, ...] | None) -> None:
    label = Label(trained_by=trained_by, readers=readers)
    data = encode_component(sample_component("head", 3, label=label))
    assert read_label(data) == decode_component(data).label == label
    spoiled = bytearray(data)
    spoiled[100] ^= 1
    assert read_label(spoiled) == label


def test_what_is_no_component_has_no_label() -> None:
    data = encode_component(sample_component("head", 3))
    others = write_archive({"a": b"{}"}), write_archive({}), write_archive({"x/zarr.json": b"{}"})
    for wrong in (b"", data[:-1], data[:200], data.replace(b"trained_by", b"trained_bx"), *others):
        with pytest.raises(CorruptObjectError):
            read_label(wrong)


def test_a_label_gets_narrower_with_every_task() -> None:
    label = Label().taught("b", AccessRule.only(["x", "y"])).taught("a", PUBLIC)
    assert label == Label(trained_by=("a", "b"), readers=("x", "y"))
    assert label.taught("c", AccessRule.only(["y", "z"])).readers == ("y",)
    assert label.taught("a", AccessRule.only(["z"])).readers == ()
    assert label.hidden_by(["b"]) == ("a",)
    rules = {"a": PUBLIC, "b": PUBLIC}
    assert narrowest(["a"], label, rules) == AccessRule.only(["x", "y"])
    assert narrowest(["a"], None, rules) == PUBLIC
    assert narrowest([], Label(trained_by=("c",)), rules) == AccessRule(readers=())


@pytest.mark.parametrize("about", [{"format": 2}, {"bits": 4}])
def test_a_component_of_a_newer_version_is_told_as_that(about: dict[str, object]) -> None:
    data = write_archive({**_GOOD, "zarr.json": root_node(**about)}, aligned=frozenset({"params/a/c/0"}))
    with pytest.raises(NewerComponentError) as caught:
        decode_component(data)
    assert isinstance(caught.value, CorruptObjectError), "whatever needs it stays out"
    assert "pip install -U mu2net" in str(caught.value.hint)
