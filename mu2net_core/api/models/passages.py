"""Texts as people give them: strings, and bytes with one text on each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mu2net_core.data import counted, remarks_on_text
from mu2net_core.errors import InvalidInputError

__all__ = ["Passage", "PassageNotices", "find_passages"]

_SAID = {
    "cut off": "longer than the model reads: only the beginning counted",
    "empty": "empty",
    "lost characters": "with what is no UTF-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text to be read.

    Attributes:
        name: the text itself, as it is told of.
        data: its bytes, of UTF-8.
    """

    name: str
    data: bytes


@dataclass(slots=True)
class PassageNotices:
    """Counts what is to be known of how texts were read."""

    found: Counter[str] = field(default_factory=Counter)

    def see(self, text: str, length: int | None) -> tuple[str, ...]:
        """Remembers a text of which ``length`` bytes are read, None for all, and returns what is to be known of it."""
        remarks = remarks_on_text(text, length)
        self.found.update(remarks)
        return remarks

    def of(self, num_texts: int) -> Iterator[str]:
        """Yields what is to be known of ``num_texts``."""
        for remark, count in sorted(self.found.items()):
            yield f"{count} of {counted(num_texts, 'text')} {'is' if count == 1 else 'are'} {_SAID[remark]}"


def find_passages(texts: Path | str | bytes | Iterable[Path | str | bytes]) -> Iterator[Passage]:
    """Yields the texts that are given, one after the other; of bytes, each line is one.

    Raises:
        InvalidInputError: a path is given: what a file holds is not read.
    """
    for text in [texts] if isinstance(texts, (Path, str, bytes)) else texts:
        if isinstance(text, Path):
            raise InvalidInputError(f"Expected a text, got the path {text}.", hint="Read the file, and give its text.")
        lines = text.removesuffix(b"\n").split(b"\n") if isinstance(text, bytes) else [_encoded(text)]
        for line in lines:
            data = line.removesuffix(b"\r")
            yield Passage(name=data.decode("utf-8", "replace"), data=data)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
