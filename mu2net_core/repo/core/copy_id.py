"""Which working copy this is: a random id that is its own, also after somebody copied its folder."""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path

from mu2net_core.errors import AlreadyExistsError, NotFoundError
from mu2net_core.storage import LocalStore, make_folder, replace_file, translate

__all__ = ["agent_id", "be_agent"]

_FILE = "agent"


def agent_id(state: Path) -> str:
    """Returns the random id of the working copy whose local state is in ``state``; made on first use.

    The folder's number on its disk is noted with the id. It stays when the folder is moved on that disk; a copy has
    another one, and gets an id of its own: each agent counts its own selections, and two that counted under one id
    would lose some when their work is joined.
    """
    store = LocalStore(state)
    known = _noted(store)
    if known is None:
        with suppress(AlreadyExistsError):  # another process was first: its id is ours
            store.create(_FILE, _fresh(state))
    elif not known or known[1:] not in ((), (_place(state),)):
        replace_file(state / _FILE, _fresh(state))
    noted = _noted(store)
    if not noted:
        raise NotFoundError(f"{state / _FILE} is gone again, right after it was written.")
    return noted[0]


def be_agent(state: Path, agent: str) -> None:
    """Makes the working copy whose local state is in ``state`` that of an agent whose id was given elsewhere."""
    make_folder(state)
    replace_file(state / _FILE, f"{agent}\n{_place(state)}\n".encode())


def _noted(store: LocalStore) -> tuple[str, ...] | None:
    """Returns the id, and the folder's number if that is noted, too; None if there is no file."""
    try:
        return tuple(store.read(_FILE).decode(errors="replace").split())
    except NotFoundError:
        return None


def _fresh(state: Path) -> bytes:
    make_folder(state)
    return f"{uuid.uuid4().hex}\n{_place(state)}\n".encode()


def _place(state: Path) -> str:
    try:
        return str(state.stat().st_ino)
    except OSError as exc:
        raise translate(exc, "look at", state) from exc
