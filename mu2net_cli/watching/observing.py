"""What evolve leaves for other programs: a file of events, a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mu2net_cli.session import Session

__all__ = ["observed"]


@contextmanager
def observed(
    session: Session, listen: Callable[[Any], None], *, events: Path | None, profile: Path | None
) -> Iterator[Callable[[Any], None]]:
    """Yields ``listen``, which appends to the file ``events`` too; meanwhile a profile is made for ``profile``."""
    with ExitStack() as stack:
        if events is not None:
            from mu2net_core.api.evolving.event_log import EventLog

            log = stack.enter_context(EventLog(events, session.context))
            listen = log.before(listen)
        if profile is not None:
            stack.enter_context(_profiled(session, session.path(profile)))
        yield listen


@contextmanager
def _profiled(session: Session, folder: Path) -> Iterator[None]:
    from mu2net_core.api.machine.profile import profiled

    with profiled(folder):
        try:
            yield
        finally:
            session.note(
                f"Writing a profile to {folder}. Look at it: pip install xprof, then xprof --logdir {folder}; or open "
                "the *.trace.json.gz in it at https://ui.perfetto.dev"
            )
