"""Encoders of texts compute what their own libraries make of them, and what cannot be represented is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from blake3 import blake3

from mu2net_core.data import Stored, modality_of
from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.nn import Bert, Checkpoint, PublishedText, is_text, model_files, open_published_text
from mu2net_core.objects import LIMITS, Text
from mu2net_core.testing.building.published import seeded_tensors, write_model
from mu2net_core.tokenizing import TOKENIZER, tokenizer_of

FILE = json.loads(Path(__file__).with_name("published_text.json").read_text())
LENGTH, TEXTS, MODELS = FILE["length"], FILE["texts"], FILE["models"]
FAMILY = Bert()


def stored(folder: Path, name: str, *, tokenizer: Any = None, **config: Any) -> Path:
    reference = MODELS[name]
    tensors = seeded_tensors({name: tuple(shape) for name, shape in reference["shapes"].items()}, 1)
    where = write_model(folder, {**reference["config"], **config}, tensors)
    (where / "tokenizer.json").write_text(json.dumps(reference["tokenizer"] if tokenizer is None else tokenizer))
    return where


def specs_of(model: PublishedText, length: int = LENGTH):
    return FAMILY.layers({**model.sizes, **model.options}, {"num_layers": model.num_blocks, "text_length": length}, 1)


def read(where: Path) -> tuple[PublishedText, Checkpoint]:
    with open_published_text(model_files(where, limits=LIMITS), limits=LIMITS) as model:
        specs = specs_of(model)[:-1]
        return model, model.read({one.name: {n: s for n, (s, _) in FAMILY.shapes(one).items()} for one in specs})


def inputs(model: PublishedText, length: int = LENGTH) -> np.ndarray:
    given = modality_of("text").reader(Text(max_length=1), (length,), {TOKENIZER: model.tokenizer.decode()})
    return np.stack([given(Stored(name="x", input=text.encode(), label=0)) for text in TEXTS])


@pytest.mark.parametrize("name", MODELS)
def test_ids_and_hidden_states_are_those_of_the_public_libraries_whatever_the_room(name: str, tmp_path: Path) -> None:
    model, checkpoint = read(stored(tmp_path, name))
    for room in (LENGTH, 16):
        specs = specs_of(model, room)[:-2]
        ids = inputs(model, room)
        run = jax.jit(FAMILY.apply, static_argnums=0)
        hidden = np.asarray(run(specs, [checkpoint.layers[spec.name] for spec in specs], ids))
        for n, (expected, states) in enumerate(zip(MODELS[name]["ids"], MODELS[name]["hidden"], strict=True)):
            if room > LENGTH and len(expected) == LENGTH:
                continue  # was cut off there, and is not here
            assert [number - 1 for number in ids[n].tolist() if number] == expected
            np.testing.assert_allclose(hidden[n][: len(expected)], states, rtol=1e-5, atol=1e-5)
            assert not hidden[n][len(expected) :].any()


@pytest.mark.parametrize("wrong", [{"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-3}], ids=str)
def test_another_gelu_or_epsilon_than_the_config_says_would_be_noticed(wrong: dict[str, Any], tmp_path: Path) -> None:
    model, checkpoint = read(stored(tmp_path, "bert", **wrong))
    specs = specs_of(model)[:-2]
    hidden = FAMILY.apply(specs, [checkpoint.layers[spec.name] for spec in specs], inputs(model)[:1])
    expected = MODELS["bert"]["hidden"][0]
    assert np.abs(np.asarray(hidden)[0, : len(expected)] - expected).max() > 1e-4


def test_the_tokenizer_is_part_of_the_embedding_and_the_architecture_names_its_hash(tmp_path: Path) -> None:
    model, checkpoint = read(stored(tmp_path, "bert"))
    kept = checkpoint.layers["token_embedding"]["tokenizer"].astype(np.uint8).tobytes()
    assert kept == model.tokenizer
    assert model.options["tokenizer"] == blake3(kept).hexdigest()
    assert json.loads(kept)["padding"] is None  # of the file's own, which says 128, nothing is taken


@pytest.mark.parametrize(
    ("pooling", "kind"), [(None, "token_pooling"), ("mean_tokens", "token_pooling"), ("cls_token", "encoder_norm")]
)
def test_what_is_read_at_the_end_is_what_models_of_sentences_say(
    pooling: str | None, kind: str, tmp_path: Path
) -> None:
    where = stored(tmp_path, "bert")
    if pooling is not None:
        (where / "1_Pooling").mkdir()
        said = {f"pooling_mode_{name}": name == pooling for name in ("cls_token", "mean_tokens")}
        (where / "1_Pooling" / "config.json").write_text(json.dumps(said))
    assert specs_of(read(where)[0])[-2].kind == kind


def changed(name: str, **parts: Any) -> Any:
    return {**MODELS[name]["tokenizer"], **parts}


PATTERN = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
MODEL = MODELS["bert"]["tokenizer"]["model"]
TEMPLATE = MODELS["bert"]["tokenizer"]["post_processor"]
TWICE = {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}, {"type": "NFKD"}]}
DEEP: Any = {"type": "Lowercase"}
for _ in range(40):
    DEEP = {"type": "Sequence", "normalizers": [DEEP]}


@pytest.mark.parametrize(
    ("tokenizer", "complaint"),
    [
        ([], "expected an object of JSON"),
        ({}, "its model is 'None'"),
        (changed("bert", pre_tokenizer=PATTERN), "its pre_tokenizer is 'Split'"),
        (changed("bert", normalizer={"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}), "'Replace'"),
        (changed("bert", normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}), "'Precompiled'"),
        (changed("bert", normalizer=DEEP), "too many steps"),
        (changed("bert", model={**MODEL, "type": "Unigram"}), "its model is 'Unigram'"),
        (changed("bert", model={**MODEL, "vocab": {f"w{n}": n for n in range(31)}}), "expected from 1 to 30 words"),
        (changed("bert", model={**MODEL, "vocab": {"[UNK]": -1}}), "expected ids below 30"),
        (changed("bert", model={**MODEL, "vocab": {"[UNK]": 2**70}}), "expected ids below 30"),
        (changed("bert", model={**MODEL, "vocab": {"x" * 5_000: 1}}), "a word of more than 1000 characters"),
        (changed("bert", model={**MODEL, "unk_token": "x" * 5_000}), "expected plain values"),
        (changed("bert", added_tokens=[{"id": 99, "content": "<x>"}]), "expected ids below 30"),
        (changed("bert", added_tokens=[{"id": 1, "content": {"a": []}}]), "expected plain values"),
        (changed("roberta", model={"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}), "merges of two pieces"),
        (changed("roberta", model={"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []}), "at random"),
        (changed("bert", normalizer=TWICE), "too many steps of one kind"),
        (changed("bert", pre_tokenizer=[{"type": "Digits"}]), "its pre_tokenizer is 'None'"),
        (changed("bert", pre_tokenizer={"type": "Sequence"}), "is no sequence of steps"),
        (changed("bert", post_processor={**TEMPLATE, "single": TEMPLATE["single"] * 20}), "too much inside a step"),
        (changed("bert", model={**MODEL, "max_input_chars_per_word": 10**6}), "words of more than 200 characters"),
        (changed("bert", model={**MODEL, "max_input_chars_per_word": "9"}), "words of more than 200 characters"),
        (changed("bert", model={**MODEL, "continuing_subword_prefix": "#" * 40}), "expected plain values"),
        (changed("bert", model={**MODEL, "type": ["BPE"]}), "its model is"),
        (changed("bert", post_processor={"type": "BertProcessing", "sep": ["[SEP]", 77], "cls": ["[CLS]", 2]}), "77"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tokenizer_that_could_do_harm_is_refused_with_the_reason(
    tokenizer: Any, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        read(stored(tmp_path, "bert", tokenizer=tokenizer))


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000, b""], ids=["cut", "bytes", "deep", "empty"])
def test_what_is_no_json_is_no_tokenizer(data: bytes, tmp_path: Path) -> None:
    where = stored(tmp_path, "bert")
    (where / "tokenizer.json").write_bytes(data)
    with pytest.raises(CorruptObjectError, match="no JSON"):
        read(where)


def test_a_tokenizer_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    where = stored(tmp_path, "bert")
    with (where / "tokenizer.json").open("wb") as file:
        file.truncate(LIMITS.manifest_bytes + 1)
    with pytest.raises(CorruptObjectError, match="more bytes than the limit"):
        read(where)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"position_embedding_type": "relative_key"}, "its places are not absolute"),
        ({"is_decoder": True}, "it is a decoder"),
        ({"num_attention_heads": 3}, "3 heads of a width of 16"),
        ({"vocab_size": 2**23}, "expected \\[8388608, 16\\]"),
        ({"num_hidden_layers": 5_000}, "it says that it has 5000 blocks"),
        ({"num_hidden_layers": 3}, "it lacks encoder.layer.2"),
        ({"num_hidden_layers": 1}, "it has encoder.layer.1.*computes something"),
        ({"hidden_act": "relu"}, "hidden_act"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_encoder_that_cannot_be_represented_is_refused(
    config: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        read(stored(tmp_path, "bert", **config))


@pytest.mark.parametrize(("kind", "expected"), [("bert", True), ("vit", False), (["bert"], False), (None, False)])
def test_whether_a_model_reads_texts_is_told_of_any_config(kind: Any, expected: bool, tmp_path: Path) -> None:
    assert is_text(model_files(stored(tmp_path, "bert", model_type=kind), limits=LIMITS)) == expected


def test_what_helps_with_an_encoder_names_encoders(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="hidden_act") as caught:
        read(stored(tmp_path, "bert", hidden_act="relu"))
    assert caught.value.hint == "Choose another model: BERT, MiniLM, RoBERTa and their like."


@pytest.mark.parametrize(
    "parts",
    [
        {"model": {**MODEL, "unk_token": "[NOTHING]"}},
        {"post_processor": {**TEMPLATE, "special_tokens": {}}},
        {"post_processor": {**TEMPLATE, "single": [{"Sequence": {"id": "B", "type_id": 0}}]}},
        {"normalizer": {"type": "Strip"}},
    ],
    ids=["no unknown word", "no special token", "a second text", "incomplete"],
)
def test_a_tokenizer_that_its_own_library_fails_with_is_told_as_damaged(parts: dict[str, Any]) -> None:
    with pytest.raises(CorruptObjectError, match="The tokenizer of the model cannot be used"):
        tokenizer_of(json.dumps(changed("bert", **parts)).encode(), 8)("Zebra")


def test_a_tokenizer_of_more_bytes_than_an_embedding_has_room_for_is_not_used() -> None:
    with pytest.raises(InvalidInputError, match="of at most 16777216"):
        tokenizer_of(b" " * (2**24 + 1), 8)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    where = stored(tmp_path, "bert")
    (where / "tokenizer.json").unlink()
    with pytest.raises(InvalidInputError, match=r"there is no tokenizer\.json"):
        read(where)
