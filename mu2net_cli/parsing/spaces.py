"""Search spaces as users write them: ``NAME=VALUE,VALUE``, or files of lists."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mu2net_core.errors import InvalidInputError, NotFoundError

__all__ = ["parse_space"]

Scalar = bool | int | float | str
_HINT = "--space learning_rate=0.01,0.1, or a file: learning_rate = [0.01, 0.1]"
_READ: Mapping[str, Callable[[str], object]] = {".json": json.loads, ".toml": tomllib.loads}


def parse_space(texts: Sequence[str], path: Callable[[Path], Path]) -> dict[str, tuple[Scalar, ...]] | None:
    """Returns by hyperparameter the values that it can have, as all of ``texts`` say; None for no text.

    Args:
        texts: ``NAME=VALUE,VALUE`` or the name of a file each; what comes later counts.
        path: returns where a file lies.

    Raises:
        InvalidInputError: one is neither, or says something else than lists of values.
        NotFoundError: there is no such file.
    """
    found = dict[str, tuple[Scalar, ...]]()
    for text in texts:
        name, is_list, values = text.partition("=")
        found |= {name.strip(): _listed(values)} if is_list else _file(path(Path(text)))
    return found or None


def _listed(text: str) -> tuple[Scalar, ...]:
    """Returns the values in ``0.1,0.2``; what TOML does not know is a word."""
    return tuple(_value(part.strip()) for part in text.removeprefix("[").removesuffix("]").split(",") if part.strip())


def _value(text: str) -> Scalar:
    try:
        value: object = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text
    return value if isinstance(value, Scalar) else text


def _file(file: Path) -> dict[str, tuple[Scalar, ...]]:
    read = _READ.get(file.suffix.lower())
    if read is None:
        expected = "expected NAME=VALUE,VALUE, or a .toml or .json file"
        raise InvalidInputError(f"{file.name!r} is no search space: {expected}.", hint=_HINT)
    try:
        document = read(file.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise NotFoundError(f"There is no file {file}.", hint=_HINT) from exc
    except (OSError, ValueError) as exc:
        raise InvalidInputError(f"{file} cannot be read as a search space: {exc}.", hint=_HINT) from exc
    if not isinstance(document, dict) or not all(map(_is_list, document.values())):
        raise InvalidInputError(f"{file}: expected names with lists of values, got something else.", hint=_HINT)
    return {str(name): tuple(values) for name, values in document.items()}


def _is_list(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, Scalar) for value in values)
