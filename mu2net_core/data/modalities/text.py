"""Texts: UTF-8, as the numbers of their bytes, or of the tokens that a model's own tokenizer makes of them."""

from __future__ import annotations

import numpy as np

from mu2net_core.data.modality import Modality, Reader
from mu2net_core.data.source import Options, Stored
from mu2net_core.data.text_survey import TextSurvey, text_of
from mu2net_core.objects import Input
from mu2net_core.tokenizing import TOKENIZER, ids_of, tokenizer_of

__all__ = ["TEXTS"]


class Texts(Modality):
    """What a model takes is int32 [L]: 1 + each byte, or 1 + each token's id, then zeros; what is longer is cut off."""

    kind = "text"
    plural = "texts"
    dtype = "int32"

    def survey(self, options: Options) -> TextSurvey:
        """Returns what looks at every text."""
        del options
        return TextSurvey()

    def hashed(self, stored: Stored) -> tuple[tuple[int, ...], bytes]:
        """Returns the text's bytes."""
        return (), text_of(stored).encode()

    def reader(self, given: Input, shape: tuple[int, ...], options: Options) -> Reader:
        """Returns what makes numbers of the first bytes of texts; of their tokens if the options have a tokenizer."""
        del given
        (length,) = shape
        if TOKENIZER in options:
            tokenize = tokenizer_of(str(options[TOKENIZER]).encode(), length)
            return lambda stored: _padded(ids_of(tokenize, text_of(stored)), length)
        return lambda stored: _padded(np.frombuffer(text_of(stored).encode()[:length], np.uint8), length)


def _padded(numbers: np.ndarray, length: int) -> np.ndarray:
    row = np.zeros(length, np.int32)
    row[: len(numbers)] = numbers
    row[: len(numbers)] += 1
    return row


TEXTS = Texts()
