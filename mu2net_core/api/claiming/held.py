"""A task that another agent works on."""

from __future__ import annotations

import shlex

from mu2net_core.api.context import Context
from mu2net_core.api.iterations.working import Working
from mu2net_core.errors import ConflictError

__all__ = ["HeldError"]


class HeldError(ConflictError):
    """Another agent works on the task.

    Attributes:
        working: which one, since when, and how far it is.
    """

    def __init__(self, working: Working, context: Context, *, is_itself: bool) -> None:
        where = "" if working.remote is None else f" (seen at {working.remote})"
        best = "" if working.score is None else f", best score {working.score:.4f}"
        super().__init__(
            f"{working.task} is being improved by {working.whole_name}{where}{working.how_long}: "
            f"iteration {working.iteration}, generation {working.generation + 1}{best}.",
            hint="Wait for it, or improve another task."
            if is_itself
            else "Wait for it, or improve another task. To work on the same beside it, which merges: "
            f"{context.program} evolve --task {shlex.quote(working.task)} --no-leases",
        )
        self.working = working
