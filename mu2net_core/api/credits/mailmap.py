"""What people are called: git's ``.mailmap``, with keys, working copies and machines in place of e-mail addresses.

A line is one of git's four forms; what stands in the last angle brackets is what a commit has:

    Ann Lee <SHA256:key>
    <SHA256:new key> <SHA256:old key>
    Ann Lee <SHA256:new key> <SHA256:old key>
    Ann Lee <SHA256:new key> commit-host <SHA256:key of many>

Lines of other addresses match nothing, so that one file can serve git, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mu2net_core.errors import InvalidInputError, NotFoundError

__all__ = ["Mailmap", "Proper", "read_mailmap"]

_MOST_BYTES = 2**20
_KEY = "SHA256:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proper:
    """What a line makes of an address: a name, another address, or both; None for what stays."""

    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailmap:
    """The lines of a file by the address, and perhaps the name, that a commit has.

    Attributes:
        path: of the file; None if there is none.
        lines: what becomes of ``(address, name)``; the name is empty in lines that have none.
    """

    path: Path | None = None
    lines: dict[tuple[str, str], Proper] = field(default_factory=dict)

    def proper(self, addresses: Sequence[str], name: str) -> Proper:
        """Returns what a commit with that name and one of these addresses has; the first that a line has decides.

        A line with the name wins over one without, and the last of several, as in git.
        """
        for address in map(_folded, addresses):
            found = self.lines.get((address, name.lower())) or self.lines.get((address, ""))
            if found is not None:
                return found
        return Proper()


def read_mailmap(path: Path, *, is_asked: bool) -> Mailmap:
    """Returns what a file says; nothing if there is none and nobody asked for it.

    Raises:
        NotFoundError: somebody asked for it, and it is not there.
        InvalidInputError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as exc:
        if not is_asked:
            return Mailmap()
        hint = "It has lines such as: Ann Lee <SHA256:...>, with the keys that mu2net verify shows"
        raise NotFoundError(f"There is no mailmap {path}.", hint=hint) from exc
    except OSError as exc:
        raise InvalidInputError(f"Cannot read the mailmap {path}: {exc.strerror}.") from exc
    if len(data) > _MOST_BYTES:
        raise InvalidInputError(f"The mailmap {path} has more than {_MOST_BYTES} bytes.")
    lines: dict[tuple[str, str], Proper] = {}
    for key, proper in _entries(data.decode(errors="replace")):
        earlier = lines.get(key, Proper())
        lines[key] = Proper(name=proper.name or earlier.name, address=proper.address or earlier.address)
    return Mailmap(path=path, lines=lines)


def _entries(text: str) -> Iterator[tuple[tuple[str, str], Proper]]:
    """Yields what each line says; like git, it passes over what is none."""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        first = _name_and_address(line)
        if first is None or not first[1]:
            continue
        name, address, rest = first
        second = _name_and_address(rest)
        if second is None or not second[1]:
            yield (_folded(address), ""), Proper(name=name or None)
        else:
            yield (_folded(second[1]), second[0].lower()), Proper(name=name or None, address=address)


def _name_and_address(text: str) -> tuple[str, str, str] | None:
    """Returns what stands before the first angle brackets, in them, and after them; None if there are none."""
    name, opening, rest = text.partition("<")
    address, closing, rest = rest.partition(">")
    return (name.strip(), address.strip(), rest) if opening and closing else None


def _folded(address: str) -> str:
    """Returns an address as it is compared: letters of either case are one, but in a key's fingerprint."""
    return address if address.startswith(_KEY) else address.lower()
