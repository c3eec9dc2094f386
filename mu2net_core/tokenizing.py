"""Tokenizers of published models: what one may be, and what it makes of a text.

A tokenizer is JSON that anybody may have written, in the form of the library ``tokenizers`` (extra ``text``), which
reads it. So it is taken apart first: of the kinds of steps it may have, those are let through that do a bounded amount
of work for each character, each kind once. There are no patterns among them, and nothing that names a file. What is
left is written anew, the same for the same content: that is what a model keeps, and what its hash is of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from mu2net_core.errors import CorruptObjectError, DataError, InvalidInputError

__all__ = ["TOKENIZER", "checked_tokenizer", "ids_of", "tokenizer_of"]

TOKENIZER = "tokenizer"
"""Among the options of a reader: the JSON of the tokenizer that the model brings."""

MOST_CHARACTERS = 2**16
"""Of a text, what comes later is not looked at."""

_MOST_BYTES = 2**24
"""Of the JSON: an embedding has room for no more."""

_MOST_ADDED, _LONGEST = 10_000, 1_000
_LONGEST_WORD = 200
"""Characters of a word that pieces are looked for in: that takes the square of them."""

_SHORT = 32
"""Characters of what stands before or after pieces: every one that is looked for has it."""

_MOST_PARTS, _DEEPEST = 32, 6
"""Values in a list or object within a step, and how many are inside one another: a template repeats what it holds."""

_STEPS: Mapping[str, frozenset[str]] = {
    "normalizer": frozenset({"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Strip"}),
    "pre_tokenizer": frozenset(
        {"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation", "Digits", "ByteLevel"}
    ),
    "post_processor": frozenset({"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel"}),
}
_INSIDE = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}
"""What the steps of a sequence are called."""

_MODELS: Mapping[str, frozenset[str]] = {
    "WordPiece": frozenset({"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"}),
    "BPE": frozenset(
        {"unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}
    )
    | {"vocab", "merges"},
}

Tokenize = Callable[[str], list[int]]


def checked_tokenizer(data: bytes, num_words: int, where: str) -> bytes:
    """Returns a tokenizer's JSON without what is not needed, once it is found harmless.

    Args:
        data: of ``tokenizer.json``.
        num_words: how many tokens the model knows: all ids lie below.
        where: it came from, for messages.

    Raises:
        CorruptObjectError: it is no JSON of a tokenizer.
        InvalidInputError: it is one that is not read; the reason is told.
    """
    if len(data) > _MOST_BYTES:
        raise _unfit(where, f"it has {len(data)} bytes, of at most {_MOST_BYTES}")
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise CorruptObjectError(f"Cannot read the tokenizer of {where}: it is no JSON.") from exc
    if not isinstance(given, dict):
        raise _unfit(where, "expected an object of JSON")
    model = _model(given.get("model"), num_words, where)
    kept: dict[str, Any] = {"version": "1.0", "truncation": None, "padding": None}
    kept["added_tokens"] = _added(given.get("added_tokens"), num_words, where)
    for part in _STEPS:
        kept[part] = _steps(part, given.get(part), num_words, where)
    return msgspec.json.encode({**kept, "decoder": None, "model": model}, order="sorted")


def ids_of(tokenize: Tokenize, text: str) -> np.ndarray:
    """Returns the ids of a text's tokens, int64 [N]."""
    return np.asarray(tokenize(text[:MOST_CHARACTERS]), np.int64)


@lru_cache(maxsize=4)
def tokenizer_of(data: bytes, length: int) -> Tokenize:
    """Returns what makes ids of a text, ``length`` at most: those that the library's own truncation leaves.

    Args:
        data: from ``checked_tokenizer``; checked again, as it may come from whoever can push.
        length: tokens, those included that mark beginning and end.

    Raises:
        DataError: the library is not installed.
        CorruptObjectError, InvalidInputError: it is no such tokenizer.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as exc:
        raise DataError(
            "This model reads texts with its own tokenizer, and the library for these is not installed.",
            hint="Install it: pip install 'mu2net[text]'",
        ) from exc
    checked = checked_tokenizer(data, np.iinfo(np.int32).max, "the model")
    with _translated():
        tokenizer = Tokenizer.from_str(checked.decode())
        tokenizer.enable_truncation(length)

    def tokenize(text: str) -> list[int]:
        with _translated():
            return list(tokenizer.encode(text).ids)

    return tokenize


@contextmanager
def _translated() -> Iterator[None]:
    """Makes our error of those of the library, whose panics are no exceptions of the usual kind."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        raise CorruptObjectError(f"The tokenizer of the model cannot be used: {str(exc)[:200]}.") from exc


def _model(given: Any, num_words: int, where: str) -> dict[str, Any]:
    """Returns words and how they are put together."""
    kind = given.get("type", "WordPiece") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(kind, str) or kind not in _MODELS:
        raise _unfit(where, f"its model is {str(kind)[:80]!r}, expected one of {', '.join(_MODELS)}")
    if given.get("dropout"):
        raise _unfit(where, "it leaves pieces out at random (dropout)")
    kept = {name: value for name, value in given.items() if name in _MODELS[kind] and value is not None}
    words, merges = kept.get("vocab"), kept.get("merges", [])
    if not isinstance(words, dict) or not 0 < len(words) <= num_words:
        found = len(words) if isinstance(words, dict) else "none"
        raise _unfit(where, f"expected from 1 to {num_words} words, as the model knows, found {found}")
    _check_ids(words.values(), num_words, where)
    pieces = merges if isinstance(merges, list) else [None]
    if len(pieces) > 2 * len(words) or not all(_is_merge(piece) for piece in pieces):
        raise _unfit(where, "expected merges of two pieces each, and not more than twice as many as words")
    for name, value in kept.items():
        if name not in {"vocab", "merges"}:
            _check_plain(value, where, longest=_SHORT)
    most = kept.get("max_input_chars_per_word", 1)
    if not isinstance(most, int) or not 0 < most <= _LONGEST_WORD:
        raise _unfit(where, f"it takes words of more than {_LONGEST_WORD} characters apart, or of none")
    _check_lengths(words, where)
    return {"type": kind, **kept}


def _added(given: Any, num_words: int, where: str) -> list[dict[str, Any]]:
    """Returns the tokens beyond those of the model."""
    tokens = [] if given is None else given
    if not isinstance(tokens, list) or len(tokens) > _MOST_ADDED or not all(isinstance(one, dict) for one in tokens):
        raise _unfit(where, f"expected at most {_MOST_ADDED} added tokens")
    _check_ids((one.get("id") for one in tokens), num_words, where)
    for one in tokens:
        for value in one.values():
            _check_plain(value, where)
    return tokens


def _steps(part: str, given: Any, num_words: int, where: str) -> Any:
    """Returns a step of a kind that is known, or a sequence of several, in which each kind is once.

    What some kinds make is longer than what they get, so that a row of them could make much of little.
    """
    if given is None:
        return None
    is_sequence = isinstance(given, dict) and given.get("type") == "Sequence"
    steps = given.get(_INSIDE[part]) if is_sequence else [given]
    if not isinstance(steps, list):
        raise _unfit(where, f"its {part} is no sequence of steps")
    kinds = [_kind_of(part, step, where) for step in steps]
    if len(set(kinds)) < len(kinds):
        raise _unfit(where, f"its {part} has too many steps of one kind")
    for step in steps:
        for value in _values_in(step, where, _DEEPEST):
            _check_plain(value, where)
            if isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < num_words:
                raise _unfit(where, f"its {part} names the token {value}, of {num_words}")
    return {"type": "Sequence", _INSIDE[part]: steps} if is_sequence else given


def _kind_of(part: str, step: Any, where: str) -> str:
    kind = step.get("type") if isinstance(step, dict) else None
    if kind == "Sequence":
        raise _unfit(where, f"its {part} has too many steps inside one another")
    if not isinstance(kind, str) or kind not in _STEPS[part]:
        known = ", ".join(sorted(_STEPS[part]))
        raise _unfit(where, f"its {part} is {str(kind)[:80]!r}, expected one of {known}")
    return kind


def _values_in(value: Any, where: str, depth: int) -> Iterator[Any]:
    """Yields the plain values in lists and objects inside one another."""
    if not isinstance(value, dict | list):
        yield value
        return
    if depth < 1 or len(value) > _MOST_PARTS:
        raise _unfit(where, "it holds too much inside a step")
    for one in value.values() if isinstance(value, dict) else value:
        yield from _values_in(one, where, depth - 1)


def _check_ids(ids: Any, num_words: int, where: str) -> None:
    for found in ids:
        if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < num_words:
            raise _unfit(where, f"expected ids below {num_words}, as the model knows, found {str(found)[:80]}")


def _check_lengths(words: Any, where: str) -> None:
    if any(len(word) > _LONGEST for word in words):
        raise _unfit(where, f"it has a word of more than {_LONGEST} characters")


def _check_plain(value: Any, where: str, *, longest: int = _LONGEST) -> None:
    if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > longest):
        raise _unfit(where, f"expected plain values, found {str(value)[:80]!r}")


def _is_merge(piece: Any) -> bool:
    parts = piece.split(" ") if isinstance(piece, str) else piece
    return isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)


def _unfit(where: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"Cannot use the tokenizer of {where}: {why}.",
        hint="Choose a model whose tokenizer is WordPiece, as BERT has it, or BPE on bytes, as RoBERTa has it.",
    )
