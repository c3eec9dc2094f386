"""What the examples of a task are like, counted while they are fingerprinted: classes, copies, sizes.

Of each example its class and a hash of 64 bits (Python's own, SipHash) are kept: 12 bytes, whatever its size. Sentences
come out of it only where whoever adds the data should know something.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mu2net_core.objects import SPLITS

__all__ = ["Census", "Shape"]

Shape = tuple[int, ...]
"""Of what goes in, as it is stored; () of an encoded file."""

_FEW = 5
_FEW_TO_SCORE = 10
_UNEVEN = 100
_TOLD = 5
_KINDS = {"train": "training", "validation": "validation", "test": "test"}


class Census:
    """Takes in the examples of each split, then says what is remarkable about them.

    Args:
        plural: what several examples are called.
    """

    def __init__(self, plural: str = "examples") -> None:
        self._plural = plural
        self._labels = {split: array("i") for split in SPLITS}
        self._hashes = {split: array("q") for split in SPLITS}

    def add(self, split: str, label: int, shape: Shape, data: bytes) -> None:
        """Takes one example in.

        Args:
            split: of the task.
            label: that was checked.
            shape: of what goes in, as it is stored.
            data: what goes in, as it is stored.
        """
        self._labels[split].append(label)
        self._hashes[split].append(hash((shape, data)))

    def notes(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Returns what should be known, the worst first, one sentence each; nothing if all is well."""
        counts = {
            split: np.bincount(np.frombuffer(self._labels[split], np.int32), minlength=len(classes)).tolist()
            for split in SPLITS
        }
        equal = list(self._equal(classes))
        copies = [] if equal and equal[0].startswith("all ") else list(self._copies(classes))
        return (*equal, *_absent(counts, classes), *copies, *_few(counts, classes), *_uneven(counts, classes))

    def _equal(self, classes: Sequence[str]) -> Iterator[str]:
        """Yields whether all examples, or all of some classes, are one and the same."""
        hashes, labels, _ = self._together()
        if len(hashes) > 1 and (hashes == hashes[0]).all():
            yield f"all {len(hashes)} {self._plural} are equal: nothing can be learned from them"
            return
        order = np.argsort(labels, kind="stable")
        found, starts = np.unique(labels[order], return_index=True)
        alike = []
        for label, part in zip(found.tolist(), np.split(hashes[order], starts[1:]), strict=True):
            if len(part) > 1 and (part == part[0]).all():
                alike.append(f"{classes[label]} ({len(part)})")
        if alike:
            yield f"all {self._plural} of a class are equal, in {len(alike)} of {len(classes)} classes: {_some(alike)}"

    def _copies(self, classes: Sequence[str]) -> Iterator[str]:
        """Yields how many examples are copies of others: with other labels, across splits, within training."""
        hashes, labels, splits = self._together()
        _, groups = np.unique(hashes, return_inverse=True)
        yield from _contradictions(groups, labels, classes, self._plural)
        train = np.zeros(groups.max(initial=-1) + 1, bool)
        train[groups[splits == SPLITS.index("train")]] = True
        shared = [
            f"{copied} of {len(inside)} {split}"
            for split in ("validation", "test")
            if (copied := int(train[inside := groups[splits == SPLITS.index(split)]].sum()))
        ]
        if shared:
            them, told = self._plural, " and ".join(shared)
            yield f"{told} {them} are exact copies of training {them}: quality will look too good"
        inside = groups[splits == SPLITS.index("train")]
        extra = len(inside) - len(np.unique(inside))
        if extra:
            yield f"{extra} of {len(inside)} training {self._plural} are exact copies of others"

    def _together(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns hashes, labels and numbers of splits of all examples."""
        hashes = [np.frombuffer(self._hashes[split], np.int64) for split in SPLITS]
        labels = [np.frombuffer(self._labels[split], np.int32) for split in SPLITS]
        splits = np.repeat(np.arange(len(SPLITS)), [len(part) for part in labels])
        return np.concatenate(hashes), np.concatenate(labels), splits


def _contradictions(groups: np.ndarray, labels: np.ndarray, classes: Sequence[str], plural: str) -> Iterator[str]:
    """Yields how many examples stand under more than one class."""
    pairs = np.unique(np.stack([groups, labels]), axis=1)
    found, starts, counts = np.unique(pairs[0], return_index=True, return_counts=True)
    several = counts > 1
    if not several.any():
        return
    mixed = Counter(
        tuple(classes[label] for label in pairs[1][start : start + min(count, 3)])
        for start, count in zip(starts[several].tolist(), counts[several].tolist(), strict=True)
    )
    names = [f"{' / '.join(some)} ({count})" for some, count in mixed.most_common()]
    examples = int(np.isin(groups, found[several]).sum())
    yield f"{int(several.sum())} {plural} occur with several labels, in {examples} examples: {_some(names)}"


def _absent(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    """Yields which classes have no example at all, or none in a split."""
    nowhere = [name for label, name in enumerate(classes) if not any(counts[split][label] for split in SPLITS)]
    if nowhere:
        yield f"no examples at all of {len(nowhere)} of {len(classes)} classes: {_some(nowhere)}"
    for split in SPLITS:
        others = [other for other in SPLITS if other != split]
        there = {
            name: [f"{counts[other][label]} {_KINDS[other]}" for other in others if counts[other][label]]
            for label, name in enumerate(classes)
            if not counts[split][label]
        }
        lacking = [f"{name} ({', '.join(elsewhere)})" for name, elsewhere in there.items() if elsewhere]
        if lacking:
            yield f"no {_KINDS[split]} examples of {len(lacking)} of {len(classes)} classes: {_some(lacking)}"


def _few(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    """Yields which classes have only a few examples to learn from, and which splits only a few to score by."""
    rare = [(count, name) for count, name in zip(counts["train"], classes, strict=True) if 0 < count < _FEW]
    if rare:
        names = [f"{name} ({count})" for count, name in sorted(rare, key=lambda one: one[0])]
        yield f"fewer than {_FEW} training examples of {len(rare)} of {len(classes)} classes: {_some(names)}"
    for split in ("validation", "test"):
        total = sum(counts[split])
        if 0 < total < _FEW_TO_SCORE:
            steps = (
                f"quality there moves in steps of {100 / total:.0f} %" if total > 1 else "quality there is 0 or 100 %"
            )
            yield f"only {total} {split} example{'s' * (total > 1)}: {steps}"


def _uneven(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    """Yields whether one class is far more frequent than another."""
    there = [(count, name) for count, name in zip(counts["train"], classes, strict=True) if count]
    if not there:
        return
    (least, rare), (most, frequent) = min(there), max(there)
    if most >= _UNEVEN * least:
        share = 100 * most / sum(counts["train"])
        yield (f"very uneven classes: {most} training examples of {frequent} ({share:.0f} % of all), {least} of {rare}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")
