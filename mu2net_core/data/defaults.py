"""Which examples of a data set train, validate and test, when the user does not say.

In general: ``test`` and ``validation`` where the data set has them; each missing one takes the next part of ``train``,
test first; train is the rest. Of a catalogue's data set that is 5 %, and some have the splits of the µ2Net paper (its
Tables 8 and 9). Of anybody's own data it is enough to tell models apart by: 500 examples, but at least 5 % and at most
20 %. A source that has a single split ``all`` gives as much as that to validation, and 20 % to test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Default", "Share", "defaults_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The next ``percent`` of a split that nothing else has taken; more where that is not ``enough`` examples.

    Attributes:
        split: of the source.
        percent: of it, at least.
        enough: examples; up to so many a share grows.
        most_percent: of the split, which it does not grow beyond.
    """

    split: str
    percent: int
    enough: int = 0
    most_percent: int = 100


Default = str | Share

_OF_DATA_SET: tuple[tuple[str, Mapping[str, Default]], ...] = (
    ("cmaterdb/*", {"validation": Share(split="train", percent=20)}),
    ("omniglot", {"validation": "small1", "test": "small2"}),
    ("visual_domain_decathlon/*", {"validation": "validation[:50%]", "test": "validation[50%:]"}),
    ("cifar100", {"validation": "train[98%:]"}),
    ("imagenet2012", {"validation": Share(split="train", percent=5), "test": "validation"}),
    ("caltech101", {"validation": "train[2754:]"}),
    ("oxford_iiit_pet", {"validation": "train[2944:]"}),
    ("svhn_cropped", {"validation": "train[65931:]"}),
    ("eurosat/rgb", {"validation": "train[16200:21600]", "test": "train[21600:]"}),
    ("resisc45", {"validation": "train[18900:25200]", "test": "train[25200:]"}),
)


def defaults_for(uri: str, splits: Mapping[str, int]) -> Mapping[str, Default]:
    """Returns the defaults for train, validation and test; none for train if the source has neither that nor ``all``.

    Args:
        uri: canonical.
        splits: the source's own, with their numbers of examples.
    """
    if "train" in splits:
        share = Share(split="train", percent=5) if uri.startswith("tfds:") else _enough_of("train")
        own = {name: name if name in splits else share for name in ("validation", "test")}
        return {"train": "train", **own, **_special(uri)}
    if "all" in splits:
        return {"train": "all", "validation": _enough_of("all"), "test": Share(split="all", percent=20)}
    return {name: name for name in ("validation", "test") if name in splits}


def _enough_of(split: str) -> Share:
    """Returns a share by which accuracies that are a point apart can be told apart, where there are that many."""
    return Share(split=split, percent=5, enough=500, most_percent=20)


def _special(uri: str) -> Mapping[str, Default]:
    scheme, _, rest = uri.partition(":")
    name = rest.partition(":")[0]
    if scheme != "tfds":
        return {}
    return next((defaults for pattern, defaults in _OF_DATA_SET if fnmatchcase(name, pattern)), {})
