"""Where tasks stand when all of them are improved in step: nobody begins iteration n before all have finished n - 1."""

from __future__ import annotations

from mu2net_core.repo.core import HeadState, ObjectDatabase, Refs

__all__ = ["head_at"]


def head_at(refs: Refs, objects: ObjectDatabase, task: str, iteration: int) -> HeadState | None:
    """Returns the first entry of a head with so many iterations behind it; None if there is none yet.

    What moves the head without another iteration, such as a merge with who did the same one, comes later and does not
    change it: all who share a log find the same.

    Args:
        refs: whose log it is.
        objects: that have its commits.
        task: its name.
        iteration: task iterations.

    Raises:
        NotFoundError: a commit of the log is not among the objects.
    """
    state = refs.head(task)
    found = None
    while state is not None and objects.commit(state.commit).iteration >= iteration:
        found = state
        state = refs.entry(task, state.number - 1)[0] if state.number > 1 else None
    return found
