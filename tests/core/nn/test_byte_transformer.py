"""Texts as rows of tokens: words are found in bytes, and what is padding changes nothing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mu2net_core.data import Stored, modality_of
from mu2net_core.errors import InvalidInputError
from mu2net_core.nn import ByteTransformer
from mu2net_core.objects import Text

FAMILY = ByteTransformer()
CONFIG = {"rows": 512, "row_width": 4, "positions": 64, "width": 8, "heads": 2, "mlp": 8}
ADAPTED = {"num_layers": 1, "adapter_0": 4}


def row_of(length):
    specs = FAMILY.layers(CONFIG, {**ADAPTED, "text_length": length}, 3)
    rng = np.random.default_rng(1)
    return specs, [
        {
            name: rng.normal(size=shape).astype(np.float32)
            for name, (shape, _) in sorted(FAMILY.kind(spec).shapes(spec).items())
        }
        for spec in specs
    ]


def bytes_of(texts, length):
    read = modality_of("text").reader(Text(max_length=1), (length,), {})
    return np.stack([read(Stored(name="x", input=text.encode(), label=0)) for text in texts])


def outputs(texts, *, length, layers=None):
    specs, params = row_of(length)
    run = jax.jit(lambda params, x: FAMILY.apply(specs[:layers], params[:layers], x, above=specs[layers:][:1]))
    return np.asarray(run(params, bytes_of(texts, length)))


def tokens(text):
    """Returns the tokens of a text that are no padding."""
    (found,) = outputs([text], length=128, layers=1)
    return found[(found != 0).any(axis=-1)]


def test_what_a_text_gives_is_the_same_whatever_the_room_after_it() -> None:
    texts = ["Who was Galileo?", "x", ""]
    np.testing.assert_allclose(outputs(texts, length=32), outputs(texts, length=128), rtol=1e-4, atol=1e-5)


def test_an_empty_text_gives_numbers() -> None:
    assert np.isfinite(outputs(["", " \n"], length=32)).all()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one two  three", 3),
        ("don't, ever!", 6),
        ("größer straße", 2),
        ("3.5 %", 4),
        ("東京 都", 3),
        ("a" * 60, 1),
    ],
)
def test_every_word_and_sign_is_a_token(text: str, count: int) -> None:
    assert len(tokens(text)) == count


def without_places(text):
    found = tokens(text)
    return found - np.asarray(row_of(128)[1][0]["positions"])[: len(found)]


def test_a_word_is_known_wherever_it_stands_after_the_same_one_and_told_from_others() -> None:
    _, zebra, cat = without_places("a zebra cat")
    *_, again = without_places("dog a zebra")
    np.testing.assert_allclose(zebra, again, atol=1e-4)
    assert np.abs(zebra - cat).max() > 1


def test_what_a_word_says_depends_on_the_one_before_it_but_on_none_after() -> None:
    whole, other_before, other_after = (without_places(text) for text in ("not bad", "so bad", "not good"))
    assert np.abs(whole[1] - other_before[1]).max() > 1
    np.testing.assert_allclose(whole[0], other_after[0], atol=1e-4)


def test_what_is_read_of_a_text_are_its_mean_and_its_peaks() -> None:
    tokens = np.array([[[1, -2], [3, -4], [0, 0]], [[0, 0], [0, 0], [0, 0]]], np.float32)
    read = FAMILY.kinds["peak_pooling"].received(tokens, np.float32)
    np.testing.assert_allclose(read, [[2 + 3, -3 - 2], [0, 0]])


def test_a_text_of_more_tokens_than_there_are_places_is_cut_off() -> None:
    np.testing.assert_array_equal(outputs(["a b c d e f g h"], length=16), outputs(["a b c d"], length=16))


@pytest.mark.parametrize("length", [0, 30, 260])
def test_a_length_that_no_model_has_is_refused(length: int) -> None:
    with pytest.raises(InvalidInputError, match="text_length"):
        FAMILY.input(CONFIG, {"text_length": length})
