"""Which examples of a data set train, validate and test, when the user does not say.

In general: ``test`` and ``validation`` where the data set has them; each missing one takes the next 5 % of ``train``,
test first; train is the rest. A source that has a single split ``all`` gives 20 % to each. Some catalogue data sets
have the splits of the µ2Net paper (its Tables 8 and 9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Default", "Share", "defaults_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The next ``percent`` of a split that nothing else has taken."""

    split: str
    percent: int


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
        own = {name: name if name in splits else Share(split="train", percent=5) for name in ("validation", "test")}
        return {"train": "train", **own, **_special(uri)}
    if "all" in splits:
        return {"train": "all", "validation": Share(split="all", percent=20), "test": Share(split="all", percent=20)}
    return {name: name for name in ("validation", "test") if name in splits}


def _special(uri: str) -> Mapping[str, Default]:
    scheme, _, rest = uri.partition(":")
    name = rest.partition(":")[0]
    if scheme != "tfds":
        return {}
    return next((defaults for pattern, defaults in _OF_DATA_SET if fnmatchcase(name, pattern)), {})
