"""What to do about images that lie where none belong: only what was tried, and what it leaves out.

Where two ways lead to different data (are these splits or classes?), both are said with what comes of them.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from mu2net_core.data.sources.layout import Layout, arrange
from mu2net_core.data.sources.parts import Parts, parts_of
from mu2net_core.data.sources.tree import MAX_DEPTH, Tree
from mu2net_core.data.wording import counted
from mu2net_core.errors import DataError

__all__ = ["advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Another way to read the same files: from a folder within, at a depth, with or without the stray ones."""

    inner: str
    depth: int
    skip: bool

    def layout(self, files: Sequence[str]) -> Layout | None:
        """Returns what it leads to, if that is two classes or more and nothing is lost that was not to be skipped."""
        start = f"{self.inner}/" if self.inner else ""
        try:
            layout = arrange([file.removeprefix(start) for file in files if file.startswith(start)], self.depth)
        except DataError:
            return None
        return layout if (self.skip or not layout.stray) and len(layout.classes) > 1 else None

    def options(self, given: int) -> str:
        """Returns the options that are to be added to those given."""
        return f" --depth {self.depth}" * (self.depth != (1 if self.inner else given)) + " --skip-stray" * self.skip


def advice(tree: Tree, depth: int) -> str | None:
    """Returns how to read a folder whose images do not all lie ``depth`` folders deep, if there is a way."""
    files = list(tree.files)
    for way, least in _ways(tree, depth):
        layout = way.layout(files)
        if layout is not None and _num_read(layout) > least * len(files):
            return _sentence(way, layout, tree, depth)
    return None


def _num_read(layout: Layout) -> int:
    return len(layout.placed) + sum(layout.unlabelled.values())


def _ways(tree: Tree, depth: int) -> Iterator[tuple[_Way, float]]:
    """Yields what may be meant, the likeliest first, and more than which share of the images it must lead to."""
    files = list(tree.files)
    common = posixpath.commonpath([posixpath.dirname(file) for file in files])
    tops = Counter(file.partition("/")[0] for file in files if "/" in file)
    largest = max(tops, key=lambda top: tops[top], default="")
    others = [other for other in range(1, MAX_DEPTH + 1) if other != depth]
    here = _Way(inner="", depth=depth, skip=True)
    inside = [_Way(inner=common, depth=other, skip=skip) for skip in (False, True) for other in (depth, *others)]
    if tree.links_leave(common):
        inside, last = [], inside
    else:
        last = [_Way(inner=common, depth=depth, skip=True)]
    yield from ((way, 0.5) for way in inside if common)
    yield from ((_Way(inner="", depth=other, skip=False), 0.5) for other in others)
    yield here, 0 if _strays_lie_in_classes(here.layout(files), depth) else 0.5
    if largest and not tree.links_leave(largest):
        yield from ((_Way(inner=largest, depth=other, skip=False), 0.5) for other in (depth, *others))
    yield from ((_Way(inner="", depth=other, skip=True), 0.5) for other in others)
    yield here, 0
    yield from ((way, 0) for way in last if common)
    one_of_several = _Way(inner=largest, depth=depth, skip=False)
    if largest and (layout := one_of_several.layout(files)) and layout.splits and not tree.links_leave(largest):
        yield one_of_several, 0


def _strays_lie_in_classes(layout: Layout | None, depth: int) -> bool:
    """Returns whether most stray images lie deeper in folders that are classes, as thumbnails do."""
    if layout is None:
        return False
    classes = set(layout.classes)
    inside = sum("/".join(layout.within(file)[1].split("/")[:depth]) in classes for file in layout.stray)
    return 2 * inside > len(layout.stray)


def _sentence(way: _Way, layout: Layout, tree: Tree, depth: int) -> str:
    options = way.options(depth)
    if (parts := parts_of(layout.classes)) is not None:
        return _both(parts, way, layout, tree, options)
    if way.inner:
        outer = _Way(inner="", depth=way.depth + 1, skip=True)
        whole = outer.layout(list(tree.files))
        if whole is not None and not whole.splits and (parts := parts_of(whole.classes)) and way.inner in parts.folders:
            return _both(parts, outer, whole, tree, outer.options(depth))
    left = len(tree.files) - _num_read(layout)
    if way.inner and tree.links_leave(way.inner):
        return (
            f"The images in {way.inner!r} are links that lead out of it. Have files in their place "
            f"({tree.replaced_links(way.inner)}), then name it{_without(left, tree)}: {_uri(tree, way.inner)}{options}"
        )
    if way.inner:
        return f"If the data set is {way.inner!r}{_without(left, tree)}: {_uri(tree, way.inner)}{options}"
    if way.depth == depth:
        return f"Leave {left} of {counted(len(tree.files), 'image')} out:{options}"
    return f"If classes are {way.depth} deep{_without(left, tree)}:{options}"


def _without(left: int, tree: Tree) -> str:
    return f", without {left} of {counted(len(tree.files), 'image')}" if left else ""


def _both(parts: Parts, way: _Way, layout: Layout, tree: Tree, options: str) -> str:
    """Returns both that can be meant by folders that may be parts of one data set."""
    said = str(parts)
    left = _without(len(tree.files) - _num_read(layout), tree)
    place = f" {_uri(tree, way.inner)}" if way.inner else ""
    same = (
        "If they are the same classes, put the images of each into one folder: SPLIT/CLASS/IMAGE. "
        if layout.splits
        else "If these are splits of one data set, rename them to train, test or validation. "
        + _one_of(parts, way, tree)
    )
    return (
        f"{said[0].upper()}{said[1:]}. {same}"
        f"Only if {parts.twins} are different classes, of {len(layout.classes)} in all{left}:{place}{options}"
    )


def _one_of(parts: Parts, way: _Way, tree: Tree) -> str:
    """Returns how to read the largest of several parts alone, ``""`` if that cannot be done."""
    folders = [posixpath.join(way.inner, folder) for folder in parts.folders]
    deep = folders[0].count("/") + 1
    counts = Counter("/".join(file.split("/")[:deep]) for file in tree.files)
    sizes = {folder: counts[folder] for folder in folders}
    largest = max(sizes, key=lambda folder: sizes[folder])
    if tree.links_leave(largest):
        return ""
    left = _without(len(tree.files) - sizes[largest], tree)
    return f"If they are copies or sites of one, name one of them{left}: {_uri(tree, largest)}. "


def _uri(tree: Tree, folder: str) -> str:
    return quote(f"{tree.scheme}:{tree.root / tree.real_folder(folder)}")
