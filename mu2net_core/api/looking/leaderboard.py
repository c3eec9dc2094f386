"""``leaderboard``: the tasks side by side."""

from __future__ import annotations

from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.insight import Leaderboard
from mu2net_core.insight import leaderboard as leaderboard_of
from mu2net_core.repo import Repository, load_system
from mu2net_core.repo.history import near, resolve

__all__ = ["leaderboard"]


def leaderboard(repo: Repository, at: str | None = None) -> Leaderboard:
    """Returns accuracy, size and cost of every task's model, now or at a tag or snapshot.

    Raises:
        InvalidInputError: ``at`` is not a snapshot.
        NotFoundError: nothing is called ``at``.
    """
    if at is None:
        return leaderboard_of(load_system(repo))
    try:
        found = resolve(repo, at)
    except NotFoundError as exc:
        hint = near(at, tuple(repo.refs.tags()), "mu2net tag")
        raise NotFoundError(f"There is no tag or snapshot {at!r}.", hint=hint) from exc
    if found.kind != "snapshot":
        raise InvalidInputError(f"{at!r} is a {found.kind}; expected a tag or a snapshot.")
    return leaderboard_of(load_system(repo, heads=repo.objects.snapshot(found.id).heads))
