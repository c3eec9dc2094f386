"""An archive as the folder that it would be if somebody unpacked it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mu2net_core.data.archives.archive import Archive, located, open_archive
from mu2net_core.data.archives.entries import Entry, refused
from mu2net_core.data.rows.endings import scheme_of
from mu2net_core.data.sources.layout import split_named
from mu2net_core.data.sources.tree import SPECIAL, Tree, is_metadata, known_name, why_left_out, why_not_entered
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Limits

__all__ = ["walk_archive"]

_KINDS = {"link": "link in the archive", "special": SPECIAL}


@dataclass(slots=True, kw_only=True)
class _ArchiveTree(Tree):
    """The images in an archive; ``root`` is its path, and the folder in it that is read."""

    archive: Archive
    entries: dict[str, Entry] = field(default_factory=dict)

    def read(self, file: str) -> bytes:
        """Returns the bytes of an image."""
        return self.archive.read(self.entries[file])

    def table(self, name: str, folder: Path) -> Path:
        """Returns a copy of a file of metadata, in a folder."""
        copy = folder / name.rpartition("/")[2]
        copy.write_bytes(self.archive.read(self.entries[name]))
        return copy

    @property
    def hint(self) -> str | None:
        """What to do where there are no images; None where nothing helps."""
        inside = next((scheme for kind in self.left_out if (scheme := scheme_of(kind)) is not None), None)
        return f"Unpack it, and name the file of rows in it: {inside}:PATH" if inside else None


def walk_archive(path: Path, depth: int, limits: Limits) -> Tree:
    """Returns what lies in an archive, or in a folder of it (``photos.zip/cats``).

    If all lies in one folder that is no split, as most archives are packed, it is read from there.

    Args:
        path: of the archive, and of the folder in it.
        depth: how many folders deep a class is.
        limits: of this machine.

    Raises:
        DataError: the archive cannot be read, or two files in it have the same name.
        NotFoundError: it has no such folder.
    """
    outer, inner = located(path)
    archive = open_archive(outer, limits)
    found = [entry for entry in archive.entries if not inner or entry.name.startswith(f"{inner}/")]
    if not found and inner:
        raise NotFoundError(f"No folder {inner} in the archive {outer}.")
    tree = _taken(archive, found, inner)
    top = "" if inner else _only_folder(tree, depth)
    return _taken(archive, [one for one in found if one.name.startswith(f"{top}/")], top) if top else tree


def _taken(archive: Archive, found: list[Entry], inner: str) -> _ArchiveTree:
    tree = _ArchiveTree(root=archive.path / inner, scheme="archive", archive=archive)
    left: Counter[str] = Counter()
    closed: set[tuple[str, str]] = set()
    for entry in found:
        real = entry.name.removeprefix(f"{inner}/") if inner else entry.name
        name = known_name(real, tree.root)
        *above, last = name.split("/")
        folders = [*above, last] if entry.what == "folder" else above
        kind = next(((why, "/".join(folders[: deep + 1])) for deep, folder in enumerate(folders)
                     if (why := why_not_entered(folder, deep))), None)  # fmt: skip
        if kind is not None:
            closed.add(kind)
            continue
        tree.folders.update("/".join(folders[:stop]) for stop in range(1, len(folders) + 1))
        if entry.what == "folder":
            continue
        why = _KINDS.get(entry.what) or why_left_out(last)
        if why is not None:
            left[why] += 1
            if entry.what == "file" and is_metadata(last):
                tree.tables[name], tree.entries[name] = real, entry
        elif name in tree.files:
            raise refused(archive.path, f"it has two files called {name}", "Remove or rename one of them.")
        else:
            tree.files[name], tree.entries[name] = real, entry
    tree.left_out = left + Counter(why for why, _ in closed)
    return tree


def _only_folder(tree: Tree, depth: int) -> str:
    """Returns the folder that all images lie in, if it is neither a split nor a class; else ``""``."""
    folder = ""
    while (inside := _one_inside(tree.files, folder)) is not None:
        deeper = sum(file.count("/") > inside.count("/") + depth for file in tree.files)
        if split_named(inside.rpartition("/")[2])[0] is not None or 2 * deeper <= len(tree.files):
            break
        folder = inside
    return folder


def _one_inside(files: Mapping[str, str], folder: str) -> str | None:
    start = f"{folder}/" if folder else ""
    names = {_first(file, start) for file in files}
    return start + names.pop() if len(names) == 1 and "" not in names else None


def _first(file: str, start: str) -> str:
    """Returns the folder below ``start`` that a file lies in; ``""`` if it lies there itself."""
    top, slash, _ = file.removeprefix(start).partition("/")
    return top if slash else ""
