"""Published models compute what their own libraries make of them, and what cannot be represented is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.nn import Checkpoint, PublishedModel, VisionTransformer, model_files, open_published
from mu2net_core.objects import LIMITS
from mu2net_core.testing.building.published import seeded_tensors, vit_config, vit_shapes, write_model

REFERENCES: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_text())
FAMILY = VisionTransformer()
SMALL = {"image": 8, "patch": 2, "width": 8, "mlp": 16}
SMALL_CONFIG = {"hidden_size": 8, "num_attention_heads": 2}


def images_of(side: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(side)).integers(0, 256, (2, side, side, 3), dtype=np.uint8)


def stored(folder: Path, reference: dict[str, Any], **config: Any) -> Path:
    tensors = seeded_tensors({name: tuple(shape) for name, shape in reference["shapes"].items()}, 1)
    said = {**reference["config"], **config}
    return write_model(folder, said, tensors, preparation=reference["preparation"])


def read(where: Path, *, side: int | None = None, blocks: int | None = None) -> tuple[PublishedModel, Checkpoint]:
    with open_published(model_files(where, limits=LIMITS), limits=LIMITS) as model:
        return model, model.read(shapes_of(model, side or 8, blocks or model.num_blocks))


def specs_of(model: PublishedModel, side: int, blocks: int):
    config = {**model.sizes, **model.options, "image": side}
    return FAMILY.layers(config, {"num_layers": blocks}, 1)[:-1]


def shapes_of(model: PublishedModel, side: int, blocks: int) -> dict[str, dict[str, tuple[int, ...]]]:
    specs = specs_of(model, side, blocks)
    return {spec.name: {name: shape for name, (shape, _) in FAMILY.shapes(spec).items()} for spec in specs}


def features(where: Path, side: int) -> np.ndarray:
    """Returns what a published model makes of the seeded images, which reach it as bytes."""
    model, checkpoint = read(where, side=side)
    specs = specs_of(model, side, model.num_blocks)
    row = [checkpoint.layers[spec.name] for spec in specs]
    return np.asarray(jax.jit(FAMILY.apply, static_argnums=0)(specs, row, images_of(side)))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_published_model_computes_what_its_own_library_does_at_any_size(name: str, tmp_path: Path) -> None:
    reference = REFERENCES[name]
    where = stored(tmp_path, reference)
    for side, expected in reference["features"].items():
        np.testing.assert_allclose(features(where, int(side)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"hidden_act": "gelu_new"}, {"hidden_act": "quick_gelu"}, {"layer_norm_eps": 1e-6}], ids=str
)
def test_another_gelu_or_epsilon_than_the_config_says_would_be_noticed(wrong: dict[str, Any], tmp_path: Path) -> None:
    reference = REFERENCES["hf vit"]
    found = features(stored(tmp_path, reference, **wrong), 12)
    assert np.abs(found - reference["features"]["12"]).max() > 1e-4


@pytest.mark.parametrize(
    ("name", "usual"), [("hf vit", {"gelu": "erf", "epsilon": 1e-12}), ("hf dinov2", {"gelu": "erf"})]
)
def test_what_a_config_does_not_say_is_as_its_library_has_it(name: str, usual: dict[str, Any], tmp_path: Path) -> None:
    reference = REFERENCES[name]
    said = {"model_type", "hidden_size", "num_attention_heads", "num_hidden_layers"}
    config = {key: value for key, value in reference["config"].items() if key in said}
    where = stored(tmp_path, {**reference, "config": config, "preparation": None})
    with open_published(model_files(where, limits=LIMITS), limits=LIMITS) as model:
        assert model.options == usual


def small(folder: Path, *, config: dict[str, Any] | None = None, num_files: int = 1, **changes: Any) -> Path:
    """Writes a small ViT; ``changes`` are tensors by name, None for one that is missing."""
    tensors = {**seeded_tensors(vit_shapes(**SMALL, blocks=2), 1), **changes}
    said = vit_config(num_hidden_layers=2, **SMALL_CONFIG) | (config or {})
    kept = {name: array for name, array in tensors.items() if array is not None}
    return write_model(folder, said, kept, num_files=num_files)


def test_several_files_with_an_index_are_the_same_model(tmp_path: Path) -> None:
    whole, parts = (read(small(tmp_path / str(number), num_files=number))[1] for number in (1, 3))
    assert all(
        (parts.layers[layer][name] == array).all()
        for layer in whole.layers
        for name, array in whole.layers[layer].items()
    )


def test_the_first_blocks_are_taken_and_what_is_not_as_stored_is_told(tmp_path: Path) -> None:
    pooler = {"vit.pooler.dense.weight": np.zeros((8, 8), np.float32)}
    _, checkpoint = read(small(tmp_path, **pooler), side=4, blocks=1)
    assert [layer for layer in checkpoint.layers if layer.startswith("encoderblock")] == ["encoderblock_0"]
    prepared, took, interpolated, left_out = checkpoint.remarks
    assert "no preprocessor_config.json" in prepared
    assert "first 1 of 2 blocks" in took
    assert "17 positions to 5" in interpolated
    assert "pooler" in left_out


def test_half_precision_is_widened(tmp_path: Path) -> None:
    half = {name: array.astype(np.float16) for name, array in seeded_tensors(vit_shapes(**SMALL, blocks=2), 1).items()}
    block = read(small(tmp_path, **half))[1].layers["encoderblock_1"]["dense_1/kernel"]
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block, half["vit.encoder.layer.1.output.dense.weight"].T)


LAYER = "vit.encoder.layer.1."


@pytest.mark.parametrize(
    ("config", "tensors", "complaint"),
    [
        ({"model_type": "swin"}, {}, "model_type: expected one of vit, deit, dinov2, found 'swin'"),
        ({"hidden_act": "relu"}, {}, "hidden_act: expected one of gelu, .*found 'relu'"),
        ({"layer_norm_eps": "small"}, {}, "layer_norm_eps: expected a number above 0"),
        ({"layer_norm_eps": 1.5}, {}, "epsilon: expected a number above 0, at most 0.01"),
        ({"num_attention_heads": 3}, {}, "3 heads of a width of 8"),
        ({"num_attention_heads": True}, {}, "num_attention_heads: expected a whole number"),
        ({"hidden_size": 16}, {}, "config says that width is 16, and the weights that it is 8"),
        ({"num_hidden_layers": 3}, {}, "config says that blocks is 3, and the weights that it is 2"),
        ({"use_swiglu_ffn": True}, {}, "gated"),
        ({}, {"vit.embeddings.distillation_token": np.zeros((1, 1, 8), np.float32)}, "a distillation token"),
        ({}, {"vit.embeddings.register_tokens": np.zeros((1, 4, 8), np.float32)}, "register tokens"),
        ({}, {"vit.embeddings.cls_token": None}, "it lacks vit.embeddings.cls_token; found classifier.bias"),
        ({}, {f"{LAYER}output.dense.weight": None}, f"it lacks {LAYER}output.dense.weight"),
        ({}, {f"{LAYER}attention.q_norm.weight": np.ones(4, np.float32)}, "computes something that models here cannot"),
        ({}, {f"{LAYER}output.dense.bias": np.zeros(9, np.float32)}, r"expected \[8\], found \[9\]"),
        ({}, {f"{LAYER}output.dense.bias": np.zeros(8)}, "expected F32, F16 or BF16, found F64"),
        ({}, {"vit.embeddings.position_embeddings": np.zeros((1, 7, 8), np.float32)}, "7 positions are of no square"),
    ],
)  # fmt: skip
def test_what_cannot_be_represented_is_refused_with_the_reason(
    config: dict[str, Any], tensors: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    where = small(tmp_path, config=config, **tensors)
    with pytest.raises(InvalidInputError, match=complaint):
        read(where)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"architecture": "deit_base_distilled_patch16_224"}, "a distillation token"),
        ({"architecture": "vit_base_patch16_rpn_224"}, "expected a plain ViT, DeiT or DINOv2"),
        ({"architecture": "vit_base_patch16_224", "model_args": {"qk_norm": True}}, "made with qk_norm"),
        ({"architecture": "vit_base_patch16_224", "global_pool": "map"}, "global_pool: expected one of token, avg"),
        ({"architecture": "vit_base_patch16_224"}, "mean: expected a list of 1 or 3 numbers"),
        ({}, "expected a plain ViT"),
    ],
)
def test_a_timm_model_that_computes_otherwise_is_refused_by_its_name_and_arguments(
    config: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    where = write_model(tmp_path, config, {"cls_token": np.zeros((1, 1, 8), np.float32)})
    with pytest.raises(InvalidInputError, match=complaint) as caught:
        read(where)
    assert caught.value.hint


def header(text: str, *, length: int | None = None) -> bytes:
    encoded = text.encode()
    return (len(encoded) if length is None else length).to_bytes(8, "little") + encoded


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "header too small|HeaderTooSmall"),
        (b"<html>not found</html>", "claims a header of"),
        (header("{}", length=2**62), "claims a header of 4611686018427387904 bytes"),
        (header('{"a":' * 50_000), "as safetensors"),
        (header('{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,8]}}') + bytes(8), "as safetensors"),
        (header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":'
                "[4,12]}}") + bytes(12), "as safetensors"),
        (header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}') + bytes(4), "as safetensors"),
        (header('{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}') + bytes(4), "9 dimensions"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_before_its_numbers_are_read(content: bytes, complaint: str, tmp_path: Path) -> None:
    where = small(tmp_path)
    (where / "model.safetensors").write_bytes(content)
    with pytest.raises(CorruptObjectError, match=complaint) as caught:
        read(where)
    assert str(where) in caught.value.message
    assert caught.value.hint


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    where = small(tmp_path, **{"vit.layernorm.bias": np.array([0, 1, np.nan, 3, 4, 5, 6, 7], np.float32)})
    with pytest.raises(CorruptObjectError, match=r"vit.layernorm.bias holds numbers that are not finite"):
        read(where)


@pytest.mark.parametrize("limit", ["checkpoint_bytes", "members", "manifest_bytes", "model_bytes"])
def test_what_is_over_a_limit_is_refused(limit: str, tmp_path: Path) -> None:
    where, limits = small(tmp_path), replace(LIMITS, **{limit: 10})
    with (
        pytest.raises((CorruptObjectError, InvalidInputError), match="limit") as caught,
        open_published(model_files(where, limits=limits), limits=limits) as model,
    ):
        model.read(shapes_of(model, 8, 2))
    assert f"mu2net config set limits.{limit} NUMBER" in str(caught.value.hint)


@pytest.mark.parametrize(
    "place", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", "a\0.safetensors"]
)
def test_an_index_names_files_beside_it_only(place: str, tmp_path: Path) -> None:
    where = small(tmp_path / "model", num_files=2)
    (where / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": place}}))
    with pytest.raises(CorruptObjectError, match=r"expected names of .safetensors beside it"):
        read(where)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_link_out_of_the_folder_is_not_followed(name: str, tmp_path: Path) -> None:
    where = small(tmp_path / "model")
    (tmp_path / "elsewhere").write_text('{"password": "hunter2"}')
    (where / name).unlink(missing_ok=True)
    (where / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInputError, match=f"{name} is a link to a file outside") as caught:
        read(where)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"not json, but secret"),
        ("config.json", b"[1, 2]"),
        ("config.json", b"[" * 100_000),
        ("preprocessor_config.json", b"\xff\xfe"),
    ],
)
def test_json_that_is_none_is_refused_without_telling_what_it_is(name: str, content: bytes, tmp_path: Path) -> None:
    where = small(tmp_path)
    (where / name).write_bytes(content)
    with pytest.raises(CorruptObjectError, match=f"Cannot read .*{name}") as caught:
        read(where)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_says_which(missing: str, tmp_path: Path) -> None:
    where = small(tmp_path)
    (where / missing).unlink()
    with pytest.raises(NotFoundError, match=f"there is no .*{missing}") as caught:
        read(where)
    assert "hf download" in str(caught.value.hint)


def test_a_folder_of_pickles_is_refused_with_the_reason(tmp_path: Path) -> None:
    where = small(tmp_path)
    (where / "model.safetensors").rename(where / "pytorch_model.bin")
    with pytest.raises(InvalidInputError, match=r"pytorch_model.bin: it is a pickle, and reading one runs the code"):
        read(where)


@pytest.mark.parametrize(
    "option",
    [
        {"gelu": "sine"},
        {"gelu": 1},
        {"epsilon": 0.0},
        {"epsilon": -1e-6},
        {"epsilon": float("nan")},
        {"pooling": "last"},
    ],
)
def test_a_stored_architecture_that_computes_in_no_known_way_is_refused(option: dict[str, Any]) -> None:
    config = {"image": 4, "patch": 2, "width": 4, "heads": 2, "mlp": 6, "channels": 3, **option}
    with pytest.raises(InvalidInputError, match=f"architecture: {next(iter(option))}: expected"):
        FAMILY.layers(config, {"num_layers": 1}, 2)
