"""What to do about images that lie where none belong: only what was tried and leads to all the data, or most of it."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from mu2net_core.data.sources.layout import arrange
from mu2net_core.data.sources.tree import MAX_DEPTH, Tree
from mu2net_core.errors import DataError

__all__ = ["advice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Another way to read the same files: from a folder within, at a depth, with or without the stray ones."""

    inner: str
    depth: int
    skip: bool

    def leads_to_most(self, files: Sequence[str]) -> bool:
        """Returns whether more than half of the files are read, as two classes or more."""
        start = f"{self.inner}/" if self.inner else ""
        try:
            layout = arrange([file.removeprefix(start) for file in files if file.startswith(start)], self.depth)
        except DataError:
            return False
        read = len(layout.placed) + sum(layout.unlabelled.values())
        return (self.skip or not layout.stray) and len(layout.classes) > 1 and read * 2 > len(files)


def advice(tree: Tree, depth: int) -> str | None:
    """Returns how to read a folder whose images do not all lie ``depth`` folders deep, if there is a way."""
    files = list(tree.files)
    way = next((way for way in _ways(files, depth) if way.leads_to_most(files)), None)
    if way is None:
        return None
    options = f" --depth {way.depth}" * (way.depth != (1 if way.inner else depth)) + " --skip-stray" * way.skip
    if way.inner:
        return (
            f"If the data set is {way.inner!r}: {quote(f'folder:{tree.root / tree.real_folder(way.inner)}')}{options}"
        )
    if way.depth == depth:
        return f"Leave them out:{options}"
    return f"If classes are {way.depth} deep{', without the other images' if way.skip else ''}:{options}"


def _ways(files: Sequence[str], depth: int) -> Iterator[_Way]:
    """Yields what may be meant, the likeliest first."""
    common = posixpath.commonpath([posixpath.dirname(file) for file in files])
    tops = Counter(file.partition("/")[0] for file in files if "/" in file)
    largest = max(tops, key=lambda top: tops[top], default="")
    others = [other for other in range(1, MAX_DEPTH + 1) if other != depth]
    inside = [_Way(inner=common, depth=other, skip=skip) for skip in (False, True) for other in (depth, *others)]
    yield from inside if common else ()
    yield from (_Way(inner="", depth=other, skip=False) for other in others)
    yield _Way(inner="", depth=depth, skip=True)
    yield from (_Way(inner=largest, depth=other, skip=False) for other in (depth, *others) if largest)
    yield from (_Way(inner="", depth=other, skip=True) for other in others)
