"""Folders that may be parts of one data set, whatever they are called: the same class folders lie in each of them.

``01_train/cat 02_test/cat`` may be splits, ``color/cat grayscale/cat`` copies, ``site1/cat site2/cat`` places; but
``greek/character1 latin/character1`` are classes of their own. Only who has them knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from mu2net_core.data.sources.names import same_class
from mu2net_core.data.wording import some

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What repeats.

    Attributes:
        folders: relative paths, two or more, sorted.
        inside: the names that lie in several of them, two or more, sorted.
    """

    folders: tuple[str, ...]
    inside: tuple[str, ...]

    def __str__(self) -> str:
        between = " and " if len(self.folders) == 2 else ", "
        return f"the same folders ({some(self.inside)}) lie in {some(self.folders, between=between)}"

    @property
    def twins(self) -> str:
        """Two classes of the same name."""
        return " and ".join(f"{folder}/{self.inside[0]}" for folder in self.folders[:2])


def parts_of(classes: Collection[str]) -> Parts | None:
    """Returns the folders most of whose classes are classes of others too, the outermost, or None.

    Args:
        classes: paths of folders, all of the same depth.
    """
    depth = max((name.count("/") for name in classes), default=0)
    groups = (group for level in range(depth) for group in _groups(classes, level))
    return next((parts for group in groups if (parts := _parts(group)) is not None), None)


def _groups(classes: Collection[str], level: int) -> Iterator[Mapping[str, Mapping[str, str]]]:
    """Yields, for all folders side by side at a level, what lies in each: its name by what people take it for."""
    groups: dict[str, dict[str, dict[str, str]]] = {}
    for name in sorted(classes):
        *above, folder, inside = name.split("/", level + 1)
        inner = groups.setdefault("/".join(above), {}).setdefault("/".join((*above, folder)), {})
        inner.setdefault(same_class(inside), inside)
    yield from groups.values()


def _parts(group: Mapping[str, Mapping[str, str]]) -> Parts | None:
    counts = Counter(name for inside in group.values() for name in inside)
    repeated = {
        name
        for inside in group.values()
        if 2 * sum(counts[name] > 1 for name in inside) > len(inside)
        for name in inside
        if counts[name] > 1
    }
    folders = [folder for folder, inside in group.items() if not repeated.isdisjoint(inside)]
    if len(repeated) < 2 or len(folders) < 2:
        return None
    shown = {name: text for folder in reversed(folders) for name, text in group[folder].items() if name in repeated}
    first_two = [name for name in group[folders[0]] if name in repeated and name in group[folders[1]]]
    names = sorted(first_two, key=shown.__getitem__) or sorted(repeated, key=shown.__getitem__)
    return Parts(folders=tuple(folders), inside=tuple(shown[name] for name in names))
