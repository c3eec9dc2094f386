"""What lies below a folder of images: the images by the names people see, and a count of everything else.

A name is the same however its accents are stored: macOS may write ``é`` as two characters (NFD), others as one (NFC).
Names are compared, sorted and hashed as NFC; files are opened by the name they have.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from mu2net_core.data.formats import HEIF_ENDINGS, endings
from mu2net_core.data.images import read_regular
from mu2net_core.errors import DataError

__all__ = ["MAX_DEPTH", "SPECIAL", "Tree", "is_metadata", "known_name", "walk", "why_left_out", "why_not_entered"]

MAX_DEPTH = 8
"""How many folders deep a class may lie."""

_SYSTEM_FOLDERS = {
    "$recycle.bin",
    "#recycle",
    "#snapshot",
    "@eadir",
    "@recently-snapshot",
    "@recycle",
    "__macosx",
    "lost+found",
    "system volume information",
}
_METADATA = {"metadata.csv", "metadata.jsonl", "metadata.parquet"}
_HIDDEN = "hidden"
_MOST_KINDS = 10
_LONGEST_ENDING = 12
_NOWHERE, _OUT, _TO_FOLDER = "link that leads nowhere", "link out of the folder", "link to a folder"
_ANNEX_NOWHERE, _ANNEX_OUT = "link of git-annex to what is not here", "link of git-annex out of the folder"
SPECIAL, _TOO_DEEP = "pipe, socket or device", f"folder more than {MAX_DEPTH + 1} deep"
_ANNEX_COMMANDS = {_ANNEX_NOWHERE: ("annex", "get", "."), _ANNEX_OUT: ("annex", "unlock", ".")}
_NO_LINKS = "Links out of the folder are not followed: name the folder where the images lie, or copy them."
_PLURALS = {
    _NOWHERE: "links that lead nowhere",
    _OUT: "links out of the folder",
    _TO_FOLDER: "links to folders",
    _ANNEX_NOWHERE: "links of git-annex to what is not here",
    _ANNEX_OUT: "links of git-annex out of the folder",
    "link in the archive": "links in the archive",
    SPECIAL: "pipes, sockets or devices",
    _TOO_DEEP: f"folders more than {MAX_DEPTH + 1} deep",
}


@dataclass(slots=True)
class Tree:
    """The images below a folder.

    Attributes:
        root: the folder.
        files: where each image lies, relative to the root, by its name in NFC.
        folders: all that were entered, in NFC.
        links: the images that are links to files in the folder.
        left_out: how many entries of each kind are no images.
        scheme: of the URIs that name it.
        tables: where each file of metadata lies, likewise: it may say what the images are.
    """

    root: Path
    scheme: str = "folder"
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    tables: dict[str, str] = field(default_factory=dict)

    def path(self, file: str) -> Path:
        """Returns where the image of that name lies."""
        return self.root / self.files[file]

    def read(self, file: str) -> bytes:
        """Returns the bytes of the image of that name.

        Raises:
            DataError: it cannot be read, is no file, or is larger than any image that is read.
        """
        return read_regular(self.path(file))

    def table(self, name: str, folder: Path) -> Path:  # noqa: ARG002
        """Returns where a file of metadata can be read: where it lies, or a copy in ``folder``.

        Raises:
            DataError: it cannot be read.
        """
        return self.root / self.tables[name]

    def real_folder(self, name: str) -> str:
        """Returns the relative path of a folder, whose name is in NFC and which has images."""
        real = next(real for file, real in self.files.items() if file.startswith(f"{name}/"))
        return "/".join(real.split("/")[: name.count("/") + 1])

    def empty_folders(self, depth: int) -> tuple[str, ...]:
        """Returns the folders up to ``depth`` deep without any image, unless the folder they lie in has none either."""
        used = {"", *(folder for file in self.files for folder in _above(file))}
        empty = (folder for folder in self.folders - used if folder.rpartition("/")[0] in used)
        return tuple(sorted(folder for folder in empty if folder.count("/") < depth))

    @property
    def hint(self) -> str | None:
        """What to do where there are no images; what makes some of the links that were left out, if any lead anywhere.

        None where nothing helps.
        """
        commands = [self._git(command) for kind, command in _ANNEX_COMMANDS.items() if self.left_out[kind]]
        if commands:
            return f"Have git-annex put the files there: {' && '.join(commands)}"
        return _NO_LINKS if self.left_out[_OUT] else None

    def links_leave(self, folder: str) -> bool:
        """Returns whether images in a folder are links that lead out of it: it cannot be read by itself."""
        inside = [self.path(file) for file in self.links if file.startswith(f"{folder}/")]
        if not inside:
            return False
        real = (self.root / self.real_folder(folder)).resolve()
        return not all(path.resolve().is_relative_to(real) for path in inside)

    def replaced_links(self, folder: str) -> str:
        """Returns how to have files in a folder in place of links that lead out of it."""
        targets = (self.path(file).resolve().as_posix() for file in self.links if file.startswith(f"{folder}/"))
        return (
            self._git(_ANNEX_COMMANDS[_ANNEX_OUT])
            if all("/annex/objects/" in path for path in targets)
            else "cp -rL copies what they lead to"
        )

    def _git(self, command: tuple[str, ...]) -> str:
        return shlex.join(("git", "-C", str(self.root), *command))

    def left_out_text(self) -> str:
        """Returns what was left out, the most frequent kind first; empty for nothing."""
        kinds = sorted(self.left_out.items(), key=lambda item: (-item[1], item[0]))
        if len(kinds) > _MOST_KINDS:
            rest = sum(count for _, count in kinds[_MOST_KINDS:])
            kinds = [*kinds[:_MOST_KINDS], ("of other kinds", rest)]
        return ", ".join(
            f"{count} {kind if count == 1 else _PLURALS.get(kind, kind)}{_advice(kind)}" for kind, count in kinds
        )


def walk(root: Path) -> Tree:
    """Returns what lies below ``root``; no link to a folder is followed, and none that leads out of it.

    Raises:
        DataError: a folder that cannot be read, an image whose name is no text, two entries of the same name.
    """
    tree = Tree(root=root)
    _Walk(tree, Path(os.path.realpath(root))).enter("", "", 0)
    return tree


@dataclass(frozen=True, slots=True)
class _Walk:
    tree: Tree
    real_root: Path

    def enter(self, folder: str, name: str, depth: int) -> None:
        """Takes in what lies in ``folder``, a relative path; ``name`` is the same in NFC."""
        try:
            with os.scandir(self.tree.root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as exc:
            raise DataError(f"Cannot read the folder {self.tree.root / folder}: {exc.strerror}.") from exc
        real_names: dict[str, str] = {}
        for entry in found:
            kind = self._kind(entry, depth)
            if kind is not None:
                self.tree.left_out[kind] += 1
                if is_metadata(entry.name) and entry.is_file(follow_symlinks=False):
                    self.tree.tables["/".join(filter(None, (name, entry.name)))] = "/".join(
                        filter(None, (folder, entry.name))
                    )
                continue
            known = normalize("NFC", entry.name)
            self._check_name(folder, entry.name, real_names.setdefault(known, entry.name))
            self._take(
                entry, "/".join(filter(None, (folder, entry.name))), "/".join(filter(None, (name, known))), depth
            )

    def _take(self, entry: os.DirEntry[str], real: str, name: str, depth: int) -> None:
        if entry.is_dir(follow_symlinks=False):
            self.tree.folders.add(name)
            self.enter(real, name, depth + 1)
        else:
            self.tree.files[name] = real
            if entry.is_symlink():
                self.tree.links.add(name)

    def _kind(self, entry: os.DirEntry[str], depth: int) -> str | None:
        """Returns what an entry is that is left out, or None for an image or a folder to enter."""
        if entry.is_dir(follow_symlinks=False):
            return why_not_entered(entry.name, depth)
        if entry.name.startswith("."):
            return _HIDDEN
        return (self._link_kind(entry) if entry.is_symlink() else None) or self._file_kind(entry)

    def _file_kind(self, entry: os.DirEntry[str]) -> str | None:
        """Returns why what is no folder is left out, or None for an image."""
        return why_left_out(entry.name) if entry.is_file() else SPECIAL

    def _link_kind(self, entry: os.DirEntry[str]) -> str | None:
        """Returns why a link is left out, or None for one to a file in the folder."""
        annex = "annex/objects/" in Path(entry.path).readlink().as_posix()
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # nothing there, or links in a circle
            return _ANNEX_NOWHERE if annex else _NOWHERE
        if not target.is_relative_to(self.real_root):
            return _ANNEX_OUT if annex else _OUT
        return _TO_FOLDER if target.is_dir() else None

    def _check_name(self, folder: str, name: str, other: str) -> None:
        place = self.tree.root / folder
        known_name(name, place)
        if name != other:
            raise DataError(
                f"Two names in {place} look the same and differ in how accents are stored: {other!a}, {name!a}.",
                hint="Make them one, or rename one of them.",
            )


def why_not_entered(folder: str, depth: int) -> str | None:
    """Returns why a folder of that name, so many folders deep, is left out; None for one that is read."""
    if folder.startswith("."):
        return _HIDDEN
    if folder.lower() in _SYSTEM_FOLDERS:
        return f"folder {folder}"
    return _TOO_DEEP if depth > MAX_DEPTH else None


def why_left_out(file: str) -> str | None:
    """Returns why a file of that name is left out; None for an image."""
    if file.startswith("."):
        return _HIDDEN
    ending = Path(file).suffix.lower()
    if ending in endings():
        return None
    return ending if 0 < len(ending) <= _LONGEST_ENDING and _is_text(ending) else "without an ending"


def is_metadata(file: str) -> bool:
    """Returns whether a file of that name says what images beside it are."""
    return file.lower() in _METADATA


def known_name(name: str, place: Path) -> str:
    """Returns a name in NFC.

    Raises:
        DataError: it is no text.
    """
    if not _is_text(name):
        raise DataError(f"The name {name!r} in {place} is not UTF-8.", hint="Rename it.")
    return normalize("NFC", name)


def _above(file: str) -> Iterator[str]:
    """Yields the folders a file lies in, the outermost first."""
    parts = file.split("/")[:-1]
    yield from ("/".join(parts[:stop]) for stop in range(1, len(parts) + 1))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _advice(kind: str) -> str:
    if kind in _ANNEX_COMMANDS:
        return f" (to have them: {shlex.join(('git', *_ANNEX_COMMANDS[kind]))})"
    return " (to read them: pip install 'mu2net[heic]')" if kind in HEIF_ENDINGS else ""
