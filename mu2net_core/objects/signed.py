"""What a signature covers: the bytes of a commit, snapshot or tombstone without it, and what kind of thing they are.

The repository is among them: a tag, a tombstone and the first commit of a history name it, later commits their parents.
"""

from __future__ import annotations

import json
from typing import Literal

__all__ = ["SignedKind", "signed_bytes"]

SignedKind = Literal["commit", "snapshot", "tombstone"]


def signed_bytes(kind: SignedKind, data: bytes) -> bytes:
    """Returns the message that is signed for an object.

    All keys count, those of later versions too, so that no byte of the object can change under its signature.

    Args:
        kind: of the object: so that no signature of one kind of thing is one of another.
        data: its canonical bytes, with a signature or without.

    Raises:
        ValueError: ``data`` is no object in canonical form.
    """
    plain = json.loads(data)
    if not isinstance(plain, dict) or _canonical(plain) != data:
        raise ValueError("not an object in canonical form")
    plain.pop("signature", None)
    return f"mu2net {kind} signature 2\n".encode() + _canonical(plain)


def _canonical(plain: object) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
