"""What every part of the facade stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mu2net_core.api.context import Context
    from mu2net_core.repo import Repository

__all__ = ["RepoBase"]


class RepoBase:
    """An open repository, and the context its methods work in.

    Attributes:
        repository: the same, as the functions in ``mu2net_core.api`` take it.
        context: clock, environment and working folder the methods use.
    """

    def __init__(self, repository: Repository, context: Context) -> None:
        self.repository = repository
        self.context = context
