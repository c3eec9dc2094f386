"""``evolve --push``: at the end it is said what became of every push."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from mu2net_cli.printing.exchange import exit_if_missing, exit_unless_whole, report
from mu2net_cli.watching.telling import MOST_TOLD

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.evolving.pushing import Pushed
    from mu2net_core.api.failures import Failure

__all__ = ["Pushes"]


@dataclass(slots=True)
class Pushes:
    """What became of the pushes of one evolution.

    Attributes:
        session: of the command line.
    """

    session: Session
    _pushed: deque[Pushed] = field(default_factory=lambda: deque(maxlen=MOST_TOLD))

    def take(self, pushed: Pushed) -> None:
        """Takes note of a push."""
        self._pushed.append(pushed)

    def tell(self) -> None:
        """Prints what was sent, merged and skipped, as ``push`` does."""
        for one in self._pushed:
            if one.exchange is not None:
                report(self.session, one.exchange, direction="To", as_json=False)

    def conclude(self, *, as_json: bool) -> None:
        """Ends with the error of a push that failed and was not made up for, if there is one."""
        for one in self._pushed:
            if one.exchange is not None:
                exit_unless_whole(self.session, one.exchange)
                exit_if_missing(self.session, one.exchange, as_json=as_json)
        last = {one.task: one for one in self._pushed}
        failures = {task: one.error for task, one in last.items() if one.error is not None}
        if failures:
            self._fail(failures, self._pushed[-1].remote)

    def _fail(self, failures: Mapping[str, Failure], remote: str) -> NoReturn:
        from mu2net_core.api.failures import as_error

        failure, names = list(failures.values())[-1], list(failures)
        hint = f"{failure.hint.rstrip('.')}. " if failure.hint else ""
        again = f"{self.session.context.program} push {remote} {' '.join(names)}"
        message = f"Not pushed to {remote}: {', '.join(names)}. {failure.message}"
        raise as_error(
            replace(failure, message=message, hint=f"{hint}The work is safe here; once that is mended: {again}")
        )
