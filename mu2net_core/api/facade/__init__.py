"""A repository as Python users hold it: every verb of the command line as a method.

    import mu2net_core as m

    repo = m.open("chars")
    repo.add_task("cmaterdb/bangla")
    repo.evolve(tasks=["cmaterdb/bangla"], seed=1)
    labels = repo.model("cmaterdb/bangla").predict(images)

What works less well than it could, or is remarkable about new data, is a Python warning (``UserWarning``).
Methods import what they need when they are called, so that looking at a repository costs no JAX. Their parameters are
those of the functions in ``mu2net_core.api`` that they call; a test holds the two together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mu2net_core.api.context import Context
from mu2net_core.api.facade.evolving import Evolving
from mu2net_core.api.facade.growing import Growing
from mu2net_core.api.facade.looking import Looking
from mu2net_core.api.facade.sharing import Sharing
from mu2net_core.api.facade.upkeep import Upkeep
from mu2net_core.api.setup.open import open_repo

if TYPE_CHECKING:
    from mu2net_core.api.setup.doctor import DoctorReport
    from mu2net_core.repo.remotes import Progress

__all__ = ["Repo", "clone", "doctor", "init", "open"]


class Repo(Growing, Evolving, Looking, Sharing, Upkeep):
    """An open repository: what the command line does, as methods.

    Attributes:
        repository: the same, as the functions in ``mu2net_core.api`` take it.
        context: clock, environment and working folder the methods use.
    """

    def __repr__(self) -> str:
        return f"Repo({str(self.repository.worktree)!r})"


def _context() -> Context:
    """Returns the context of this process, whose remarks are Python's warnings, blamed on whoever called a method."""
    return replace(Context.default(), warn=lambda text: warnings.warn(text, stacklevel=4))


def open(path: Path | str | None = None) -> Repo:  # noqa: A001  reads as mu2net_core.open
    """Returns the repository at a path, by default the one the current folder lies in.

    Args:
        path: the folder, or one inside it.

    Raises:
        NotFoundError: there is none.
    """
    context = _context()
    return Repo(open_repo(path, context), context)


def init(
    folder: Path | str,
    *,
    preset: str = "auto",
    root: str = "random",
    seed: int = 0,
    bare: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Repo:
    """Makes a repository, with a root model unless its preset is ``auto``, and returns it.

    Args:
        folder: made if it is not there.
        preset: name of a preset, shipped or of the user's configuration; with ``auto`` each task gets its own, chosen
            by its data, and brings the root it needs.
        root: ``random``, a checkpoint's path or URL, or a name such as ``augreg:Ti_16``.
        seed: of a random root.
        bare: put the repository into ``folder`` itself, as a bucket or shared folder has it.
        progress: told how far the transfer of a checkpoint is.

    Raises:
        AlreadyExistsError: there is a repository with a root already; an interrupted ``init`` is finished instead.
        NotFoundError: no such preset or checkpoint.
        InvalidInputError, CorruptObjectError, StorageError, AccessDeniedError: the checkpoint cannot be had, or does
            not fit the preset; ``auto`` with a root or seed.
    """
    from mu2net_core.api.setup.init import init as make

    context = _context()
    made = make(Path(folder), context, preset=preset, root=root, seed=seed, bare=bare, progress=progress)
    return Repo(open_repo(made.path, context), context)


def clone(
    url: str,
    folder: Path | str | None = None,
    *,
    full: bool = False,
    readers: Iterable[str] = (),
    options: Mapping[str, str] | None = None,
    require_signed: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Repo:
    """Makes a working copy of the repository at a URL, with that as its remote ``origin``, and returns it.

    Args:
        url: a folder or URL.
        folder: new or empty; by default called like the last part of ``url``.
        full: whether all components come now, not when something needs them.
        readers: groups and tasks that can read ``url``; empty for everybody.
        options: how to reach it, as for ``add_remote``.
        require_signed: a file of allowed keys: what none of them signed stays out, now and in later pulls.
        progress: told of every object.

    Raises:
        NotFoundError: there is no repository at ``url``.
        AlreadyExistsError: ``folder`` is not empty.
    """
    from mu2net_core.api.sharing.clone import clone as copy

    context = _context()
    where = None if folder is None else Path(folder)
    made = copy(
        url,
        where,
        context,
        full,
        readers=readers,
        options=options,
        require_signed=require_signed,
        progress=progress,
    )
    return Repo(open_repo(made.path, context), context)


def doctor() -> DoctorReport:
    """Returns versions, devices and what will not work on this machine; ``repo.doctor()`` looks at a repository too."""
    from mu2net_core.api.setup.doctor import doctor as examine

    return examine(None, _context())
