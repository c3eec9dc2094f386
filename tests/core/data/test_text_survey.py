"""What is told of a data set of texts while it is fingerprinted."""

from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.data import Stored, modality_of, remarks_on_text
from mu2net_core.errors import DataError
from mu2net_core.objects import Text


def surveyed(*texts: str | bytes):
    survey = modality_of("text").survey({})
    for number, text in enumerate(texts):
        survey.look(
            Stored(name=f"line {number + 1}", input=text if isinstance(text, bytes) else text.encode(), label=0)
        )
    survey.check("jsonl:x")
    return survey


def test_plain_texts_are_nothing_to_tell_of() -> None:
    assert list(surveyed("A short text.", "Another one: it's 3 € — naïve café!").notes()) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "without anything in them"),
        (" \t ", "without anything in them"),
        (b"caf\xe9", "characters that are lost"),
        ("cafÃ© donâ€™t", "read in another encoding"),
        ("a\x00b", "control characters"),
    ],
)
def test_what_an_earlier_program_broke_is_told_with_its_place(text: str | bytes, told: str) -> None:
    (note,) = surveyed("fine", text).notes()
    assert note.startswith("1 text of 2 ")
    assert told in note
    assert note.endswith(": line 2")


def test_other_scripts_are_told_of_with_their_share() -> None:
    (note,) = surveyed("привет мир", "你好世界", "你好", "hello").notes()
    assert "Cjk (50 %), Cyrillic (25 %)" in note


def test_the_longest_text_and_the_usual_length_are_known() -> None:
    survey = surveyed(*["x" * 10] * 9, "é" * 50)
    assert survey.input() == Text(max_length=50)
    assert survey.typical_size() == (10,)


def test_what_models_would_not_read_is_counted() -> None:
    survey = surveyed("short", "x" * 129, "é" * 70)
    assert survey.cut_off((140,)) is None
    assert survey.cut_off((128,)) == (
        "2 texts of 3 have more than 128 bytes (up to 140), and models read the first 128"
    )


def test_a_data_set_of_empty_texts_is_refused() -> None:
    with pytest.raises(DataError, match="All 2 texts of jsonl:x are empty"):
        surveyed("", b"")


def test_an_array_is_no_text() -> None:
    with pytest.raises(DataError, match=r"x: expected a text, found numbers \[3\]"):
        modality_of("text").hashed(Stored(name="x", input=np.zeros(3), label=0))


def test_a_very_long_text_is_cut_at_the_bytes_that_are_read() -> None:
    read = modality_of("text").reader(Text(max_length=1), (8,), {})
    assert read(Stored(name="x", input=b"a" * 10**6, label=0)).tolist() == [98] * 8
    assert read(Stored(name="x", input=b"\x00\xff", label=0)).tolist()[:2] == [1, 240]  # U+FFFD in place of 0xFF


def test_what_is_known_of_a_text_that_is_predicted() -> None:
    assert remarks_on_text("fine", 4) == ()
    assert remarks_on_text("é" * 3, 5) == ("cut off",)
    assert remarks_on_text(" ", None) == ("empty",)
    assert remarks_on_text("\ufffd", None) == ("lost characters",)
