"""The epoch of a repository: one small file whose name a purge changes, so that one question tells who missed it.

``refs/epoch/<32 hex>`` holds its own name. Whoever finds the one he knows needs to ask nothing else: it is the same
repository, and nothing was purged since.
"""

from __future__ import annotations

import re
import uuid

from mu2net_core.errors import CorruptObjectError, NotFoundError
from mu2net_core.objects import LIMITS
from mu2net_core.storage import Store

__all__ = ["EPOCHS", "begin_epoch", "current_epoch", "is_current", "is_epoch_key", "new_epoch"]

EPOCHS = "refs/epoch"
_EPOCH = re.compile(r"[0-9a-f]{32}")


def current_epoch(store: Store) -> str | None:
    """Returns the epoch of the repository in ``store``; None if an older version made it. One listing."""
    names = (key.removeprefix(f"{EPOCHS}/") for key in store.list(EPOCHS))
    return next((name for name in names if _EPOCH.fullmatch(name)), None)


def is_current(store: Store, epoch: str) -> bool:
    """Returns whether ``epoch`` is one of the repository in ``store``. One read."""
    try:
        return store.read(_key(epoch), limit=LIMITS.ref_bytes) == _content(epoch)
    except (NotFoundError, CorruptObjectError):
        return False


def begin_epoch(store: Store) -> None:
    """Gives a repository that is being made its first epoch; two makers at once leave two, which is none's harm."""
    if current_epoch(store) is None:
        epoch = uuid.uuid4().hex
        store.create(_key(epoch), _content(epoch))


def new_epoch(store: Store) -> str:
    """Begins a new epoch and ends all others; returns its name. Dying in between leaves two, which is none's harm."""
    epoch = uuid.uuid4().hex
    store.create(_key(epoch), _content(epoch))
    for key in list(store.list(EPOCHS)):
        if is_epoch_key(key) and key != _key(epoch):
            store.delete(key)
    return epoch


def is_epoch_key(key: str) -> bool:
    """Returns whether ``key`` is that of an epoch."""
    folder, _, name = key.rpartition("/")
    return folder == EPOCHS and _EPOCH.fullmatch(name) is not None


def _key(epoch: str) -> str:
    return f"{EPOCHS}/{epoch}"


def _content(epoch: str) -> bytes:
    return f"{epoch}\n".encode()
