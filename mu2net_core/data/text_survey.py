"""What all texts of a data set have in common, gathered in the pass that fingerprints them."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator

import numpy as np

from mu2net_core.data.modality import Survey
from mu2net_core.data.source import Stored
from mu2net_core.data.wording import counted, some
from mu2net_core.errors import DataError
from mu2net_core.objects import Text

__all__ = ["TextSurvey", "remarks_on_text", "text_of"]

_MISREAD = re.compile("Ã[\u0080-\u00bf©¨¼¶¤Ÿ]|â€[\u0080-\u00ff™œ“”\u02dc]|Â[\u00a0-\u00bf]")
"""What letters with accents, quotation marks and signs of UTF-8 become where it is read as Windows-1252."""

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_LOST = "\ufffd"
_LOOKED_AT, _LETTERS = 1_000, 200
_OFTEN = 0.05
_TYPICAL = 0.9


def text_of(stored: Stored) -> str:
    """Returns an example's text; what is no UTF-8 in it becomes U+FFFD.

    Raises:
        DataError: it is no text at all.
    """
    if not isinstance(stored.input, bytes):
        found = f"numbers {list(np.shape(stored.input))}"
        raise DataError(f"{stored.name}: expected a text, found {found}.")
    return stored.input.decode("utf-8", "replace")


def remarks_on_text(text: str, length: int | None) -> tuple[str, ...]:
    """Returns what is to be known of how a text is read, as ``Prediction.remarks`` says.

    Args:
        text: to be read.
        length: so many of its bytes are read; None if all are, or if it is not known.
    """
    found = {
        "cut off": length is not None and len(text.encode()) > length,
        "empty": not text.strip(),
        "lost characters": _LOST in text,
    }
    return tuple(remark for remark, holds in found.items() if holds)


class TextSurvey(Survey):
    """Remembers how long texts are, and what somebody should know of them."""

    def __init__(self) -> None:
        super().__init__("text")
        self._bytes = array("q")
        self._longest = 1
        self._found: dict[str, list[str]] = {}
        self._scripts = Counter[str]()

    def look(self, stored: Stored, split: str = "train") -> bool:
        """Takes a text in; every one can be read."""
        del split
        text = text_of(stored)
        self._longest = max(self._longest, len(text))
        self._bytes.append(len(text.encode()))
        if len(self._bytes) <= _LOOKED_AT and (script := _script_of(text)):
            self._scripts[script] += 1
        for what, is_so in (
            ("without anything in them", not text.strip()),
            (
                f"with characters that are lost ({_LOST}): an earlier program read them in a wrong encoding",
                _LOST in text,
            ),
            ("with letters such as Ã© or â€™: UTF-8 that was read in another encoding before", _MISREAD.search(text)),
            ("with control characters in them", _CONTROL.search(text)),
        ):
            if is_so:
                self._found.setdefault(what, []).append(stored.name)
        return True

    def check(self, uri: str) -> None:
        """Checks that there is something to read.

        Raises:
            DataError: all texts are empty.
        """
        if not any(self._bytes):
            raise DataError(
                f"All {len(self._bytes)} texts of {uri} are empty.", hint="Name the column that holds them."
            )

    def input(self) -> Text:
        """Returns that texts go into models, and how many characters the longest has."""
        return Text(max_length=self._longest)

    def notes(self) -> Iterator[str]:
        """Yields what is remarkable about the texts, a sentence each."""
        for what, names in self._found.items():
            yield f"{counted(len(names), 'text')} of {len(self._bytes)} {what}: {some(names)}"
        total = sum(self._scripts.values())
        others = {script: count for script, count in self._scripts.most_common() if script != "Latin"}
        told = [f"{script} ({100 * count / total:.0f} %)" for script, count in others.items() if count > _OFTEN * total]
        if told:
            yield f"texts in other scripts than Latin: {', '.join(told)}; what is pretrained may not know them"

    def typical_size(self) -> tuple[int]:
        """Returns the bytes that nine of ten texts do not exceed."""
        lengths = np.sort(np.frombuffer(self._bytes, np.int64))
        return (int(lengths[int(_TYPICAL * (len(lengths) - 1))]),)

    def cut_off(self, shape: tuple[int, ...]) -> str | None:
        """Returns how many texts have more bytes than a model reads."""
        lengths = np.frombuffer(self._bytes, np.int64)
        longer = int((lengths > shape[0]).sum())
        if not longer:
            return None
        texts = f"{counted(longer, 'text')} of {len(lengths)} {'has' if longer == 1 else 'have'}"
        return f"{texts} more than {shape[0]} bytes (up to {lengths.max()}), and models read the first {shape[0]}"


def _script_of(text: str) -> str:
    """Returns the script of most letters at the beginning of a text, as Unicode's names begin; empty without any."""
    letters = [letter for letter in text[:_LETTERS] if letter.isalpha()]
    if not letters or all(letter.isascii() for letter in letters):
        return "Latin" if letters else ""
    names = Counter(unicodedata.name(letter, "").partition(" ")[0].capitalize() for letter in letters)
    return names.most_common(1)[0][0]
