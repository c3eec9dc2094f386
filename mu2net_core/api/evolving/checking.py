"""Whether there is anything to evolve; known without any engine."""

from __future__ import annotations

from collections.abc import Sequence

from mu2net_core.api.evolving.view import head_of
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.errors import SearchError
from mu2net_core.objects import System
from mu2net_core.repo import Repository

__all__ = ["check_tasks"]


def check_tasks(repo: Repository, tasks: Sequence[str], system: System) -> None:
    """Raises unless there are tasks, all of them known, and a root: NotFoundError, SearchError."""
    if not tasks:
        raise SearchError("There is no task to evolve.", hint="Add one: mu2net add-task sklearn:digits")
    for name in tasks:
        head_of(system, name)
    if not system.roots and not is_auto(repo):
        raise SearchError("The repository has no root model to start from.", hint="Finish it: mu2net init")
