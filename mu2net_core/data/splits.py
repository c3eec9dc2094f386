"""Split specifications: ``train[:20%]``, ``train[20%:]+extra``, as in TensorFlow Datasets, resolved to exact slices.

A boundary is a number of examples or a percentage, negative from the end; percentages round to the closest example.
Explicit specifications always win; defaults are taken from what they leave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote

from mu2net_core.data.defaults import Default, Share, defaults_for
from mu2net_core.data.source import SourceInfo
from mu2net_core.errors import DataError, InvalidInputError
from mu2net_core.objects import SPLITS, Slice

__all__ = ["Resolved", "parse_spec", "resolve_splits"]

Resolved = Mapping[str, tuple[str, tuple[Slice, ...]]]

_PART = re.compile(r"(?P<split>[^\[\]+:%\s]+)(\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


def resolve_splits(
    info: SourceInfo, uri: str, train: str | None = None, validation: str | None = None, test: str | None = None
) -> Resolved:
    """Returns, for train, validation and test, the specification and its exact slices.

    Args:
        info: of the source.
        uri: canonical; some data sets have defaults of their own.
        train: explicit specification, or None for the default.
        validation: likewise.
        test: likewise.

    Raises:
        InvalidInputError: a specification that cannot be read, or is out of range.
        DataError: a split that is not there, or has no examples.
    """
    explicit = {"train": train, "validation": validation, "test": test}
    resolved = {
        name: (spec, _not_empty(name, spec, parse_spec(spec, info.splits, uri), info))
        for name, spec in explicit.items()
        if spec is not None
    }
    defaults = defaults_for(uri, info.splits)
    for name in ("test", "validation", "train"):
        if name not in resolved:
            if name not in defaults:
                raise _no_default(name, uri, info.splits)
            taken = [part for _, slices in resolved.values() for part in slices]
            slices = _default(defaults[name], taken, info.splits, uri)
            resolved[name] = (_spec(slices, info.splits), _not_empty(name, _what(defaults[name]), slices, info))
    return {name: resolved[name] for name in SPLITS}


def parse_spec(spec: str, splits: Mapping[str, int], uri: str) -> tuple[Slice, ...]:
    """Returns the slices a specification names; empty parts are dropped.

    Raises:
        InvalidInputError: it cannot be read.
        DataError: it names a split the source does not have.
    """
    slices = []
    for part in spec.split("+"):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise InvalidInputError(
                f"Not a split: {spec!r}.", hint="Examples: train, train[:20%], train[500:], train[:50%]+extra"
            )
        split = match["split"]
        if split not in splits:
            raise DataError(f"No split {split!r} in {uri}; it has {_counts(splits)}.")
        start = _boundary(match["start"], splits[split], default=0)
        stop = _boundary(match["stop"], splits[split], default=splits[split])
        if start < stop:
            slices.append(Slice(split=split, start=start, stop=stop))
    return tuple(slices)


def _boundary(text: str | None, num_examples: int, *, default: int) -> int:
    if text is None:
        return default
    percent = text.endswith("%")
    value = int(text.rstrip("%"))
    limit = 100 if percent else num_examples
    if abs(value) > limit:
        raise InvalidInputError(f"Out of range: {text} of a split with {num_examples} examples.")
    absolute = round(value * num_examples / 100) if percent else value
    return absolute if absolute >= 0 and not text.startswith("-") else num_examples + absolute


def _default(default: Default, taken: Sequence[Slice], splits: Mapping[str, int], uri: str) -> tuple[Slice, ...]:
    """Returns what a default names, as far as it is not taken already."""
    if not isinstance(default, Share):
        return _free(parse_spec(default, splits, uri), taken)
    whole = Slice(split=default.split, start=0, stop=splits[default.split])
    free = _free((whole,), taken)
    wanted = _share(default, free[0].start, whole.stop) if free else 0
    slices = []
    for part in free:
        size = min(wanted, part.stop - part.start)
        if size > 0:
            slices.append(Slice(split=part.split, start=part.start, stop=part.start + size))
            wanted -= size
    return tuple(slices)


def _share(share: Share, start: int, num_examples: int) -> int:
    """Returns how many examples a share means; from 20 % to 40 % if it starts at exactly 20 %, whatever rounding."""
    percent, before = share.percent, _percent(start, num_examples)
    if round(share.most_percent * num_examples / 100) <= share.enough:
        percent = share.most_percent
    elif round(percent * num_examples / 100) < share.enough:
        return share.enough
    stop = 0 if before is None else round((before + percent) * num_examples / 100)
    return round(percent * num_examples / 100) if before is None else stop - start


def _free(slices: Sequence[Slice], taken: Sequence[Slice]) -> tuple[Slice, ...]:
    """Returns ``slices`` without the examples in ``taken``."""
    free = list(slices)
    for hole in taken:
        free = [rest for part in free for rest in _without(part, hole)]
    return tuple(free)


def _without(part: Slice, hole: Slice) -> list[Slice]:
    if part.split != hole.split or hole.stop <= part.start or part.stop <= hole.start:
        return [part]
    bounds = ((part.start, hole.start), (hole.stop, part.stop))
    return [Slice(split=part.split, start=start, stop=stop) for start, stop in bounds if start < stop]


def _not_empty(name: str, spec: str, slices: tuple[Slice, ...], info: SourceInfo) -> tuple[Slice, ...]:
    if not slices:
        raise DataError(
            f"No examples for {name}: {spec} is empty, of {_counts(info.splits)}.",
            hint=f"Choose some with --{name} SPLIT.",
        )
    return slices


def _no_default(name: str, uri: str, splits: Mapping[str, int]) -> DataError:
    """Returns the error for a split that must be chosen, with a choice that works: the largest but test shared out."""
    if not splits:
        return DataError(f"{uri} has no splits.")
    largest = max(splits, key=lambda split: (split != "test", splits[split]))
    wanted = [split for split in SPLITS if split in {"train", largest} or split not in splits]
    shares = dict(zip(reversed(wanted), ("[:20%]", "[20%:40%]", "[40%:]"), strict=False))
    shares["train"] = f"[{20 * (len(wanted) - 1)}%:]"
    options = " ".join(f"--{split} {quote(largest + shares[split])}" for split in wanted)
    return DataError(
        f"{uri} has no split train; it has {', '.join(splits)}: no examples are known for {name}.",
        hint=f"Choose with --train, --validation and --test, for example: {options}",
    )


def _what(default: Default) -> str:
    return f"{default.percent}% of {default.split}" if isinstance(default, Share) else f"the rest of {default}"


def _spec(slices: Sequence[Slice], splits: Mapping[str, int]) -> str:
    """Returns a specification that means exactly ``slices``, in percent where that is what a user would write."""
    return "+".join(_part_spec(part, splits[part.split]) for part in slices)


def _part_spec(part: Slice, num_examples: int) -> str:
    bounds = [bound for bound in (part.start, part.stop) if 0 < bound < num_examples]
    percents = [_percent(bound, num_examples) for bound in bounds]
    plain = any(percent is None or (percent % 5 and percent * num_examples % 100) for percent in percents)
    texts = dict(zip(bounds, bounds if plain else [f"{percent}%" for percent in percents], strict=True))
    return f"{part.split}[{texts.get(part.start, '')}:{texts.get(part.stop, '')}]" if texts else part.split


def _percent(boundary: int, num_examples: int) -> int | None:
    """Returns the percentage that means exactly this boundary, or None."""
    percent = round(100 * boundary / num_examples) if num_examples else 0
    return percent if round(percent * num_examples / 100) == boundary else None


def _counts(splits: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in splits.items()) or "no splits"
