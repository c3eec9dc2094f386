"""Who vouches for what is made here: commits and tags signed with the user's own Ed25519 key, if a setting names one.

The setting ``sign.key`` is a path on this machine and travels nowhere. The key is read when something is signed, and
neither stored nor printed; one that ssh-agent holds never leaves it. ``cryptography`` is imported only then.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mu2net_core.api.context import Context
from mu2net_core.api.settings.own import SIGN_KEY
from mu2net_core.api.settings.settings import effective_host, effective_path
from mu2net_core.api.signing.keys import parse_public_key
from mu2net_core.api.signing.ssh_agent import agent_signature
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import Agent, Commit, Signature, Snapshot, encode, signed_bytes
from mu2net_core.repo import Repository
from mu2net_core.repo.core import Tombstone

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "Signer",
    "commit_signer",
    "committer",
    "is_valid",
    "put_commit",
    "put_tagged",
    "read_signer",
    "signer_of",
    "tombstone_signer",
]

_OFF = "To sign nothing: mu2net config set sign.key ''"
_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A public key in hex, and what makes its signatures."""

    key: str
    sign: Callable[[bytes], bytes]

    def commit(self, commit: Commit) -> Commit:
        """Returns the commit with a signature of this key."""
        message = signed_bytes("commit", encode(replace(commit, signature=None)))
        return replace(commit, signature=Signature(key=self.key, value=self.sign(message).hex()))

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        """Returns the snapshot with a signature of this key."""
        message = signed_bytes("snapshot", encode(replace(snapshot, signature=None)))
        return replace(snapshot, signature=Signature(key=self.key, value=self.sign(message).hex()))

    def tombstone(self, stone: Tombstone) -> Tombstone:
        """Returns the tombstone with a signature of this key."""
        message = signed_bytes("tombstone", encode(replace(stone, signature=None)))
        return replace(stone, signature=Signature(key=self.key, value=self.sign(message).hex()))


def signer_of(repo: Repository, context: Context) -> Signer | None:
    """Returns what signs for this working copy; None if no key is set.

    Raises:
        NotFoundError: the key file is not there.
        InvalidInputError: it cannot be used.
    """
    path = effective_path(context, repo.config.settings, SIGN_KEY, repo.worktree)
    return None if path is None else read_signer(path, context)


def committer(repo: Repository, context: Context) -> Agent:
    """Returns who makes a commit here for which nothing was computed."""
    return Agent(id=repo.agent_id, host=effective_host(repo.config.settings, context), device="none")


def commit_signer(repo: Repository, context: Context) -> Callable[[Commit], Commit]:
    """Returns what signs commits made here; it leaves them as they are if no key is set."""
    signer = signer_of(repo, context)
    return (lambda commit: commit) if signer is None else signer.commit


def tombstone_signer(repo: Repository, context: Context) -> Callable[[Tombstone], Tombstone]:
    """Returns what signs tombstones made here; it leaves them as they are if no key is set."""
    signer = signer_of(repo, context)
    return (lambda stone: stone) if signer is None else signer.tombstone


def put_commit(repo: Repository, context: Context, commit: Commit) -> str:
    """Stores a commit made here and returns its id; signed, if a key is set."""
    return repo.objects.put(commit_signer(repo, context)(commit))


def put_tagged(repo: Repository, context: Context, snapshot: Snapshot, tag: str) -> str:
    """Stores the snapshot of a tag, which names tag and repository, and returns its id; signed, if a key is set."""
    signer = signer_of(repo, context)
    snapshot = replace(snapshot, tag=tag, identity=repo.identity)
    return repo.objects.put(snapshot if signer is None else signer.snapshot(snapshot))


def is_valid(signature: Signature, message: bytes) -> bool:
    """Returns whether ``signature`` is one of its key for ``message``."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as exc:
        raise _no_library("Checking signatures") from exc
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key)).verify(bytes.fromhex(signature.value), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_signer(path: Path, context: Context) -> Signer:
    """Returns what signs with the key in a file.

    Raises:
        NotFoundError: it is not there.
        InvalidInputError: it cannot be used.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        hint = f"Make one: ssh-keygen -t ed25519 -f {path}. {_OFF}"
        raise NotFoundError(f"There is no key {path}, which {SIGN_KEY} names.", hint=hint) from exc
    except OSError as exc:
        raise InvalidInputError(f"Cannot read the key {path}: {exc.strerror}.", hint=_OFF) from exc
    public = parse_public_key(data.decode("utf-8", "replace"))
    if public is not None:
        return Signer(key=public, sign=lambda message: agent_signature(public, message, context.environ))
    if _is_encrypted(data):
        raise InvalidInputError(
            f"The key {path} is encrypted, and mu2net asks for no passphrase.",
            hint=f"Let ssh-agent hold it: ssh-add {path}; mu2net config set {SIGN_KEY} {path}.pub",
        )
    private = _load(data, path)
    return Signer(key=private.public_key().public_bytes_raw().hex(), sign=private.sign)


def _load(data: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key
    except ImportError as exc:
        raise _no_library("Signing") from exc
    hint = f"Make one: ssh-keygen -t ed25519 -f FILE. {_OFF}"
    try:
        key = load_ssh_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # not chained: nothing of the file belongs in a message
        raise InvalidInputError(f"{path} is no private key that OpenSSH made.", hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInputError(f"The key {path} is of another type; expected an Ed25519 key.", hint=hint)
    return key


def _is_encrypted(data: bytes) -> bool:
    """Returns whether an OpenSSH private key names a cipher other than ``none``."""
    body = b"".join(line for line in data.splitlines() if not line.startswith(b"-----"))
    try:
        blob = base64.b64decode(body)
    except binascii.Error:
        return False
    start = len(_MAGIC) + 4
    size = int.from_bytes(blob[len(_MAGIC) : start], "big")
    return blob.startswith(_MAGIC) and blob[start : start + size] != b"none"


def _no_library(what: str) -> InvalidInputError:
    return InvalidInputError(f"{what} needs the package cryptography.", hint="pip install 'mu2net[sign]'")
