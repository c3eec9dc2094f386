from __future__ import annotations

import io
import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.nn import Checkpoint, family_named, read_checkpoint
from mu2net_core.objects import LIMITS
from mu2net_core.testing.building.checkpoints import public_arrays, with_new_names, write_checkpoint

REFERENCE = Path(os.environ.get("MU2NET_TEST_DATA", "../shared/data")) / "vit_reference"
FAMILY = family_named("vit")
SMALL = {"image": 8, "patch": 4, "width": 8, "heads": 2, "mlp": 16}
POSITIONS = "Transformer/posembed_input/pos_embedding"


def shapes_of(num_layers: int = 2, classes: int = 4, **sizes: int) -> dict[str, dict[str, tuple[int, ...]]]:
    specs = FAMILY.layers({**SMALL, "channels": 3, **sizes}, {"num_layers": num_layers}, classes)
    return {spec.name: {name: shape for name, (shape, _) in FAMILY.shapes(spec).items()} for spec in specs}


def arrays_of(**sizes: int) -> dict[str, np.ndarray]:
    return public_arrays(**{**SMALL, **sizes})


def read(path: Path, **options: int) -> Checkpoint:
    return read_checkpoint(path, shapes_of(**options))


run = jax.jit(FAMILY.apply, static_argnums=0)
REFERENCE_CONFIG = {"patch": 16, "width": 48, "heads": 3, "mlp": 96, "channels": 3}


@pytest.mark.parametrize("renamed", [dict, with_new_names], ids=["old names", "new names"])
def test_a_public_checkpoint_computes_what_the_public_code_does_at_any_size(renamed, tmp_path: Path) -> None:
    if not REFERENCE.is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE}: set MU2NET_TEST_DATA")
    with np.load(REFERENCE / "checkpoint.npz") as stored, np.load(REFERENCE / "expected.npz") as expected:
        path = write_checkpoint(tmp_path / "checkpoint.npz", renamed(dict(stored)))
        for image, images, logits in ((32, "images", "logits"), (48, "resized_images", "resized_logits")):
            specs = FAMILY.layers({**REFERENCE_CONFIG, "image": image}, {"num_layers": 2}, 7)
            shapes = {spec.name: {n: s for n, (s, _) in FAMILY.shapes(spec).items()} for spec in specs}
            layers = read_checkpoint(path, shapes).layers
            x = jnp.asarray(expected[images], jnp.float32) / 127.5 - 1.0
            found = run(specs, [layers[spec.name] for spec in specs], x)
            np.testing.assert_allclose(found, expected[logits], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("image", "width", "heads", "mlp", "blocks", "published"),
    [
        pytest.param(32, 192, 3, 768, 3, 1_484_162, id="Ti/16, 3 blocks"),
        pytest.param(32, 768, 12, 3072, 12, 85_652_738, id="B/16"),
        pytest.param(224, 1024, 16, 4096, 24, 303_303_682, id="L/16"),
    ],
)
def test_what_is_asked_of_a_checkpoint_has_the_published_size(image, width, heads, mlp, blocks, published: int) -> None:
    shapes = shapes_of(blocks, 2, image=image, patch=16, width=width, heads=heads, mlp=mlp)
    assert sum(prod(shape) for layer in shapes.values() for shape in layer.values()) == published


def test_the_first_blocks_are_taken_and_positions_are_fitted(tmp_path: Path) -> None:
    arrays = {**arrays_of(image=16, blocks=12), "pre_logits/kernel": np.zeros((8, 8), np.float32)}
    found = read(write_checkpoint(tmp_path / "a.npz", arrays), num_layers=3)
    assert list(found.layers)[3:6] == ["encoderblock_0", "encoderblock_1", "encoderblock_2"]
    theirs = arrays["Transformer/encoderblock_2/MlpBlock_3/Dense_1/kernel"]
    np.testing.assert_array_equal(found.layers["encoderblock_2"]["dense_1/kernel"], theirs)
    positions = found.layers["position_embedding"]["pos_embedding"]
    assert positions.shape == (1, 5, 8)
    np.testing.assert_allclose(positions[0, [0, 1, 4]], arrays[POSITIONS][0, [0, 1, 16]], atol=1e-6)
    took, interpolated, left_out = found.remarks
    assert "first 3 of 12 blocks" in took
    assert "17 positions to 5" in interpolated
    assert "pre_logits" in left_out


def test_a_checkpoint_that_fits_leaves_nothing_to_remark(tmp_path: Path) -> None:
    assert read(write_checkpoint(tmp_path / "a.npz", arrays_of())).remarks == ()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ">f4"])
def test_other_kinds_of_numbers_are_widened(dtype, tmp_path: Path) -> None:
    stored = {name: array.astype(dtype) for name, array in arrays_of().items()}
    found = read(write_checkpoint(tmp_path / "a.npz", stored)).layers["head"]["kernel"]
    assert found.dtype == np.dtype("<f4")
    np.testing.assert_array_equal(found, stored["head/kernel"].astype(np.float32))


def test_arrays_by_columns_are_read(tmp_path: Path) -> None:
    arrays = arrays_of()
    stored = {name: np.asfortranarray(array) for name, array in arrays.items()}
    found = read(write_checkpoint(tmp_path / "a.npz", stored)).layers["head"]["kernel"]
    np.testing.assert_array_equal(found, arrays["head/kernel"])


@pytest.mark.parametrize(
    ("there", "wanted", "complaint"),
    [
        (
            {"width": 16},
            {},
            r"embedding/kernel: expected \[4, 4, 3, 8\], found \[4, 4, 3, 16\] \(width 16 instead of 8\)",
        ),
        ({"patch": 2}, {}, r"\(patch size 2 instead of 4\)"),
        ({"heads": 4}, {}, r"query/kernel: .*\(heads 4 instead of 2, width of a head 2 instead of 4\)"),
        ({"mlp": 32}, {}, r"Dense_0/kernel: .*\(MLP width 32 instead of 16\)"),
        ({"blocks": 1}, {}, "it has 1 blocks, and 2 are asked for"),
        ({"classes": 5}, {}, r"head/kernel: expected \[8, 4\], found \[8, 5\]"),
    ],
)
def test_another_architecture_is_refused_with_what_differs(there, wanted, complaint: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.npz", arrays_of(**there))
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        read(path, **wanted)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_layer_that_no_checkpoint_has_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.npz", arrays_of())
    with pytest.raises(InvalidInputError, match="no public checkpoint has adapter_0/kernel"):
        read_checkpoint(path, {"adapter_0": {"kernel": (8, 8)}})


Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def without(*names: str) -> Change:
    return lambda arrays: {name: array for name, array in arrays.items() if name not in names}


def with_array(name: str, array: np.ndarray) -> Change:
    return lambda arrays: {**arrays, name: array}


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        (without("cls"), InvalidInputError, "expected cls; found Transformer/"),
        (without("head/bias", "cls"), InvalidInputError, "expected cls and 1 more"),
        (
            without("Transformer/encoderblock_1/MlpBlock_3/Dense_1/bias"),
            InvalidInputError,
            "expected Transformer/encoderblock_1/MlpBlock_3/Dense_1/bias",
        ),
        (lambda _: {"x": np.zeros(3)}, InvalidInputError, "found x, 1 arrays in all"),
        (
            with_array("head/bias", np.zeros(4)),
            InvalidInputError,
            "expected float32, float16 or bfloat16, found float64",
        ),
        (
            with_array("head/bias", np.array([1, 2, np.nan, 4], np.float32)),
            CorruptObjectError,
            "head/bias holds numbers",
        ),
        (with_array("head/bias", np.array([1, 2, np.inf, 4], np.float16)), CorruptObjectError, "not finite"),
        (with_array(POSITIONS, np.zeros((1, 6, 8), np.float32)), InvalidInputError, "a square grid of patches"),
        (with_array(POSITIONS, np.zeros((1, 5, 9), np.float32)), InvalidInputError, "pos_embedding: expected"),
        (with_array(POSITIONS, np.zeros((1, 1 + 257**2, 8), np.float16)), InvalidInputError, "pos_embedding: expected"),
        (with_array(POSITIONS, np.float32(1)), InvalidInputError, "pos_embedding: expected"),
    ],
)
def test_what_cannot_be_right_is_refused(change: Change, error, complaint: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.npz", change(arrays_of()))
    with pytest.raises(error, match=complaint) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def npy(header: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode() + data


def described(shape: str, descr: str = "<f4") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/mu2net-was-here"),))


def with_member(path: Path, content: bytes, *, method: int = zipfile.ZIP_STORED) -> Path:
    """Returns a checkpoint whose ``head/bias`` is ``content``."""
    write_checkpoint(path, without("head/bias")(arrays_of()))
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("head/bias.npy", content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickle.dumps(Bomb()), id="a bare pickle"),
        pytest.param(npy(described("(1,)", "|O"), pickle.dumps(Bomb())), id="an array of objects"),
        pytest.param(npy(described("(4,)"), bytes(12)), id="too little data"),
        pytest.param(npy(described("(4,)"), bytes(20)), id="too much data"),
        pytest.param(npy(described("(10**12,)"), bytes(16)), id="a shape that is a sum"),
        pytest.param(npy(described("(1000000000000,)"), bytes(16)), id="an absurd shape"),
        pytest.param(npy(described(f"(0, {2**63 - 1}, {2**63 - 1})")), id="an absurd shape without numbers"),
        pytest.param(npy(described("(-4,)"), bytes(16)), id="a negative shape"),
        pytest.param(npy(described(f"({'1,' * 40})"), bytes(16)), id="many dimensions"),
        pytest.param(npy(described("(4,)", "nonsense"), bytes(16)), id="no type"),
        pytest.param(npy("{[]: 1}\n"), id="no header"),
        pytest.param(npy("(" * 3000), id="a nested header"),
        pytest.param(npy(described("(4,)"), bytes(16), version=b"\7\0"), id="an unknown version"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_hostile_arrays_are_refused_and_never_unpickled(content: bytes, tmp_path: Path) -> None:
    path = with_member(tmp_path / "a.npz", content)
    with pytest.raises(CorruptObjectError, match="without pickled objects") as caught:
        read(path)
    assert caught.value.hint
    assert not Path("/tmp/mu2net-was-here").exists()


@pytest.mark.parametrize("name", ["head/bias", POSITIONS, "Transformer/encoderblock_7/huge"])
def test_a_bomb_does_not_go_off(name: str, tmp_path: Path) -> None:
    """A member of kilobytes that becomes 64 megabytes is refused, or ignored, unread."""
    path = tmp_path / "a.npz"
    write_checkpoint(path, arrays_of())
    read(path)  # what is imported on the way is not counted
    write_checkpoint(path, without(name)(arrays_of()))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(f"{name}.npy", "w") as member:
        member.write(npy(described("(1, 2097152, 8)")))
        for _ in range(16):
            member.write(bytes(4 * 2**20))
    tracemalloc.start()
    try:
        read(path)
    except Mu2netError:
        assert "huge" not in name
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2 * 2**20


def test_methods_numpy_does_not_use_and_passwords_are_refused(tmp_path: Path) -> None:
    path = with_member(tmp_path / "a.npz", npy(described("(4,)"), bytes(16)), method=zipfile.ZIP_LZMA)
    with pytest.raises(CorruptObjectError, match="packed in a way that NumPy does not use"):
        read(path)


def test_too_many_members_and_too_large_a_directory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(20):
            archive.writestr(f"{k}.npy", b"")
    with pytest.raises(CorruptObjectError, match="20 members, over the limit of 19"):
        read_checkpoint(path, shapes_of(), limits=replace(LIMITS, members=19))
    with pytest.raises(CorruptObjectError, match="over the limit of 100"):
        read_checkpoint(path, shapes_of(), limits=replace(LIMITS, checkpoint_bytes=100))


def test_a_directory_that_claims_much_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    size = 2**25
    end = b"PK\5\6" + bytes(4) + b"\1\0\1\0" + size.to_bytes(4, "little") + bytes(4) + bytes(2)
    with path.open("wb") as file:
        file.truncate(size)  # a sparse file
        file.seek(0, io.SEEK_END)
        file.write(end)
    with pytest.raises(CorruptObjectError, match=f"its directory has {size} bytes"):
        read(path)


def test_a_model_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="the limit is 1000"):
        read_checkpoint(tmp_path / "a.npz", shapes_of(), limits=replace(LIMITS, model_bytes=1000))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(NotFoundError, match="No such file"):
        read(path)
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(CorruptObjectError, match="File is not a zip file"):
        read(path)
    with pytest.raises(CorruptObjectError):
        read(tmp_path)


def test_wherever_a_file_is_cut_off_or_changed_it_is_refused_or_the_same(tmp_path: Path) -> None:
    whole = write_checkpoint(tmp_path / "a.npz", arrays_of(blocks=1)).read_bytes()
    right = read(tmp_path / "a.npz", num_layers=1).layers
    rng = np.random.default_rng(0)
    for number in range(150):
        at = int(rng.integers(len(whole)))
        changed = bytearray(whole[:at] if number % 3 == 0 else whole)
        if number % 3:
            changed[at] ^= 1 << int(rng.integers(8))
        path = tmp_path / "changed.npz"
        path.write_bytes(changed)
        try:
            found = read(path, num_layers=1).layers
        except Mu2netError:
            continue
        for layer, arrays in right.items():
            for name, array in arrays.items():
                np.testing.assert_array_equal(found[layer][name], array)
