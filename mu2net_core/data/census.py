"""What the examples of a task are like, counted while they are fingerprinted: classes, copies, sizes.

Of each example its class and a hash of 64 bits (Python's own, SipHash) are kept: 12 bytes, whatever its size. Sentences
come out of it only where whoever adds the data should know something.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mu2net_core.data.wording import counted, some
from mu2net_core.objects import SPLITS

__all__ = ["Census", "LabelCensus", "Shape", "balanced"]

Shape = tuple[int, ...]
"""Of what goes in, as it is stored; () of an encoded file."""

_FEW = 5
_FEW_TO_SCORE = 10
_UNEVEN = 20
_TOLD = 5
_WEIGH = " (to let the few count as much as the many: --class-weights balanced)"
_COMPARED = 2**21
"""Examples that are looked at for copies, about: of more, those whose hash is a multiple of a number."""
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

    def add(self, split: str, label: int | np.ndarray, shape: Shape, data: bytes) -> None:
        """Takes one example in.

        Args:
            split: of the task.
            label: that was checked.
            shape: of what goes in, as it is stored.
            data: what goes in, as it is stored.
        """
        self._labels[split].append(int(label))
        self._hashes[split].append(hash((shape, data)))

    def notes(self, classes: Sequence[str], *, weighed: bool = False) -> tuple[str, ...]:
        """Returns what should be known, the worst first, one sentence each; nothing if all is well.

        Args:
            classes: their names.
            weighed: whether rare classes count as much in the loss as frequent ones.
        """
        counts = {split: self._counted(split, len(classes)) for split in SPLITS}
        equal, copies = self.repeated(classes)
        few = (*_few(counts, classes), *_uneven(counts, classes, weighed=weighed))
        return (*equal, *_absent(counts, classes), *copies, *few)

    def repeated(self, classes: Sequence[str]) -> tuple[list[str], list[str]]:
        """Returns what is equal altogether, and how many examples are copies of others."""
        equal = list(self._equal(classes))
        return equal, [] if equal and equal[0].startswith("all ") else list(self._copies(classes))

    def weights(self, num_classes: int) -> tuple[float, ...]:
        """Returns how much an example of each class counts, that all classes may count as much."""
        return balanced(self._counted("train", num_classes))

    def _counted(self, split: str, num_classes: int) -> list[int]:
        """Returns how many examples of each class a split has."""
        found: list[int] = np.bincount(np.frombuffer(self._labels[split], np.int32), minlength=num_classes).tolist()
        return found

    def _equal(self, classes: Sequence[str]) -> Iterator[str]:
        """Yields whether all examples, or all of some classes, are one and the same."""
        first, equal = np.zeros(len(classes), np.int64), np.ones(len(classes), bool)
        counts = np.zeros(len(classes), np.int64)
        for hashes, labels in self._parts():
            found, where = np.unique(labels, return_index=True)
            new = counts[found] == 0
            first[found[new]] = hashes[where[new]]
            equal[labels[hashes != first[labels]]] = False
            counts += np.bincount(labels, minlength=len(classes))
        there = counts > 0
        if counts.sum() > 1 and equal[there].all() and len(set(first[there].tolist())) == 1:
            yield f"all {counts.sum()} {self._plural} are equal: nothing can be learned from them"
            return
        alike = [f"{classes[label]} ({counts[label]})" for label in np.flatnonzero(equal & (counts > 1)).tolist()]
        if alike:
            of = f"{len(alike)} of {len(classes)} classes"
            yield f"all {self._plural} of a class are equal, in {of}: {some(alike, _TOLD)}"

    def _parts(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields hashes and labels of all examples, not too many at once."""
        for split in SPLITS:
            hashes, labels = np.frombuffer(self._hashes[split], np.int64), np.frombuffer(self._labels[split], np.int32)
            for start in range(0, len(hashes), _COMPARED):
                yield hashes[start : start + _COMPARED], labels[start : start + _COMPARED]

    def _copies(self, classes: Sequence[str]) -> Iterator[str]:
        """Yields how many examples are copies of others: with other labels, across splits, within training."""
        of = f" (one in {self._share} of all were compared)" if self._share > 1 else ""
        yield from (f"{told}{of}" for told in self._copied(classes))

    def _copied(self, classes: Sequence[str]) -> Iterator[str]:
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
        """Returns hashes, labels and numbers of splits of all examples, or of every n-th hash where they are many."""
        hashes = [np.frombuffer(self._hashes[split], np.int64) for split in SPLITS]
        labels = [np.frombuffer(self._labels[split], np.int32) for split in SPLITS]
        if self._share > 1:
            kept = [part % self._share == 0 for part in hashes]
            hashes = [part[which] for part, which in zip(hashes, kept, strict=True)]
            labels = [part[which] for part, which in zip(labels, kept, strict=True)]
        splits = np.repeat(np.arange(len(SPLITS), dtype=np.int8), [len(part) for part in labels])
        return np.concatenate(hashes), np.concatenate(labels), splits

    @property
    def _share(self) -> int:
        """One of how many hashes is compared: all copies of an example are, or none, and memory stays bounded."""
        return 1 + sum(map(len, self._hashes.values())) // _COMPARED


class LabelCensus:
    """Takes in the several labels of the examples of each split, then says what is remarkable about them.

    Args:
        num_labels: K.
        plural: what several examples are called.
    """

    def __init__(self, num_labels: int, plural: str = "examples") -> None:
        self._examples = Census(plural)
        self._having = {split: np.zeros(num_labels, np.int64) for split in SPLITS}
        self._counts = dict.fromkeys(SPLITS, 0)

    def add(self, split: str, label: np.ndarray, shape: Shape, data: bytes) -> None:
        """Takes one example in, whose labels are uint8 [K]; the rest as in ``Census``."""
        self._examples.add(split, 0, shape, data)
        self._having[split] += label
        self._counts[split] += 1

    def notes(self, names: Sequence[str], *, weighed: bool = False) -> tuple[str, ...]:
        """Returns what should be known, as ``Census`` does; of copies not whether their labels differ."""
        having = {split: counts.tolist() for split, counts in self._having.items()}
        equal, copies = self._examples.repeated(("any labels",))
        few = (*_few(having, names, "labels", self._counts), *self._rare(names, weighed=weighed))
        return (*equal[:1], *_absent(having, names, "labels"), *copies, *few)

    def weights(self, _num_labels: int) -> tuple[float, ...]:
        """Returns how many training examples lack each label for one that has it; 1 where all or none have it."""
        having = self._having["train"]
        lacking = self._counts["train"] - having
        return _rounded(np.where((having > 0) & (lacking > 0), lacking / np.maximum(having, 1), 1.0))

    def _rare(self, names: Sequence[str], *, weighed: bool) -> Iterator[str]:
        having, count = self._having["train"], self._counts["train"]
        rare = [
            f"{name} ({one})" for name, one in zip(names, having.tolist(), strict=True) if 0 < _UNEVEN * one < count
        ]
        if rare:
            told = f"{len(rare)} of {len(names)} labels are rare among {count} training examples: {some(rare, _TOLD)}"
            yield told + _WEIGH * (not weighed)


def balanced(counts: Sequence[int]) -> tuple[float, ...]:
    """Returns weights with which all classes that have examples count as much together: mean 1 over the examples."""
    found = np.asarray(counts, np.float64)
    each = found.sum() / max(int((found > 0).sum()), 1)
    return _rounded(np.where(found > 0, each / np.maximum(found, 1), 1.0))


def _rounded(weights: np.ndarray) -> tuple[float, ...]:
    """Returns weights of six digits, as far as weights may go."""
    return tuple(float(f"{weight:.6g}") for weight in np.clip(weights, 1e-6, 1e6))


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
    number = int(several.sum())
    occur = f"{counted(number, plural.removesuffix('s'))} occur{'s' * (number == 1)}"
    yield f"{occur} with several labels, in {examples} examples: {some(names, _TOLD)}"


def _absent(counts: Mapping[str, Sequence[int]], classes: Sequence[str], plural: str = "classes") -> Iterator[str]:
    """Yields which classes, or labels, have no example at all, or none in a split."""
    nowhere = [name for label, name in enumerate(classes) if not any(counts[split][label] for split in SPLITS)]
    if nowhere:
        yield f"no examples at all of {len(nowhere)} of {len(classes)} {plural}: {some(nowhere, _TOLD)}"
    for split in SPLITS:
        others = [other for other in SPLITS if other != split]
        there = {
            name: [f"{counts[other][label]} {_KINDS[other]}" for other in others if counts[other][label]]
            for label, name in enumerate(classes)
            if not counts[split][label]
        }
        lacking = [f"{name} ({', '.join(elsewhere)})" for name, elsewhere in there.items() if elsewhere]
        if lacking:
            yield f"no {_KINDS[split]} examples of {len(lacking)} of {len(classes)} {plural}: {some(lacking, _TOLD)}"


def _few(
    counts: Mapping[str, Sequence[int]],
    classes: Sequence[str],
    plural: str = "classes",
    totals: Mapping[str, int] | None = None,
) -> Iterator[str]:
    """Yields which classes have only a few examples to learn from, and which splits only a few to score by.

    Args:
        counts: of the examples of each class in each split.
        classes: their names, or those of labels.
        plural: what they are.
        totals: examples of each split, where that is not the sum of the counts.
    """
    rare = [(count, name) for count, name in zip(counts["train"], classes, strict=True) if 0 < count < _FEW]
    if rare:
        names = [f"{name} ({count})" for count, name in sorted(rare, key=lambda one: one[0])]
        yield f"fewer than {_FEW} training examples of {len(rare)} of {len(classes)} {plural}: {some(names, _TOLD)}"
    for split in ("validation", "test"):
        total = sum(counts[split]) if totals is None else totals[split]
        if 0 < total < _FEW_TO_SCORE:
            steps = (
                f"quality there moves in steps of {100 / total:.0f} %" if total > 1 else "quality there is 0 or 100 %"
            )
            yield f"only {total} {split} example{'s' * (total > 1)}: {steps}"


def _uneven(counts: Mapping[str, Sequence[int]], classes: Sequence[str], *, weighed: bool) -> Iterator[str]:
    """Yields whether one class is far more frequent than another."""
    there = [(count, name) for count, name in zip(counts["train"], classes, strict=True) if count]
    if not there:
        return
    (least, rare), (most, frequent) = min(there), max(there)
    if most > _UNEVEN * least:
        share = 100 * most / sum(counts["train"])
        told = f"very uneven classes: {most} training examples of {frequent} ({share:.0f} % of all), {least} of {rare}"
        yield told + _WEIGH * (not weighed)
