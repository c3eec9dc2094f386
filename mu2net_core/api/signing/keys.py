"""Public keys as OpenSSH writes them: whom a working copy trusts, and how a key is shown to people."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from mu2net_core.errors import InvalidInputError, NotFoundError

__all__ = ["AllowedKeys", "fingerprint", "key_blob", "parse_public_key", "read_allowed_keys"]

_NAMESPACE = "mu2net"
"""What the option ``namespaces`` of an allowed signer must admit."""

_TYPE = b"ssh-ed25519"
_LINE = f"a line has names and a key, as in: ann@example.org {_TYPE.decode()} AAAAC3NzaC1lZDI1NTE5..."


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedKeys:
    """Who may sign: names by public key in hex, as the file at ``path`` says."""

    path: Path
    names: Mapping[str, str] = field(default_factory=dict)


def read_allowed_keys(path: Path) -> AllowedKeys:
    """Returns the Ed25519 keys in a file like ssh's ``allowed_signers``, or of public keys one a line.

    Keys of other types can sign nothing here and are passed over. A line whose options restrict more than the
    namespace is refused, since the restriction would not be kept.

    Raises:
        NotFoundError: there is no such file.
        InvalidInputError: a line cannot be read, or there is no Ed25519 key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise NotFoundError(f"There is no file of allowed keys {path}.", hint=f"Make it: {_LINE}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInputError(f"Cannot read the allowed keys in {path}: {exc}.") from exc
    names = dict(_entries(text, path))
    if not names:
        raise InvalidInputError(f"No Ed25519 key in {path}, so nothing would be trusted.", hint=f"There {_LINE}")
    return AllowedKeys(path=path, names=names)


def parse_public_key(text: str) -> str | None:
    """Returns the key of ``ssh-ed25519 AAAA... [comment]`` in hex; None if it is something else."""
    words = text.split()
    if len(words) < 2 or words[0] != _TYPE.decode():
        return None
    return _key_of(words[1])


def key_blob(key: str) -> bytes:
    """Returns a public key in hex as ssh's own binary form."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in (_TYPE, bytes.fromhex(key)))


def fingerprint(key: str) -> str:
    """Returns what ``ssh-keygen -l`` shows of a public key: ``SHA256:`` and 43 characters."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_blob(key)).digest()).decode().rstrip("=")


def _entries(text: str, path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            entry = _entry(line)
        except ValueError as exc:
            raise InvalidInputError(f"Cannot read line {number} of {path}: {exc}.", hint=f"There {_LINE}") from exc
        if entry is not None:
            yield entry


def _entry(line: str) -> tuple[str, str] | None:
    """Returns (key, name) of a line; None if its key is of another type, or it is for something else."""
    key = parse_public_key(line)
    if key is not None:
        return key, " ".join(line.split()[2:]) or fingerprint(key)
    words = shlex.split(line, posix=False)
    place = next((i for i, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-")) and i < 3), None)
    if place is None or place + 1 >= len(words):
        raise ValueError("no public key in it")
    if words[place] != _TYPE.decode() or place == 0:
        return None
    key = _key_of(words[place + 1])
    if key is None:
        raise ValueError("its key is cut off or damaged")
    return (key, words[0]) if place == 1 or _is_for_us(words[1]) else None


def _is_for_us(options: str) -> bool:
    name, _, value = options.partition("=")
    if name.lower() != "namespaces" or '",' in value:
        raise ValueError(f"the option {options[:60]!r} is not supported, only namespaces=")
    patterns = value.strip('"').split(",")
    if any(pattern.startswith("!") and fnmatchcase(_NAMESPACE, pattern[1:]) for pattern in patterns):
        return False  # as ssh reads it: what is excluded stays so, whatever else matches
    return any(fnmatchcase(_NAMESPACE, pattern) for pattern in patterns)


def _key_of(text: str) -> str | None:
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    key = blob[-32:].hex()
    return key if len(key) == 64 and key_blob(key) == blob else None
