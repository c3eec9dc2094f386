"""``mu2net doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import Column, print_json, print_table
from mu2net_cli.session import Session, session_of
from mu2net_core.errors import NotFoundError

if TYPE_CHECKING:
    from mu2net_core.repo import Repository

__all__ = ["doctor"]

_COLUMNS = (Column(title="check", style="bold"), Column(title="outcome"), Column(title="found"))


def doctor(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Report versions, devices and storage.

    Exits with 1 if something will not work.

    Example: mu2net doctor
    """
    from mu2net_core.api.setup.doctor import doctor as doctor_api

    session = session_of(ctx)
    report = doctor_api(_repo_if_any(session), session.context)
    if as_json:
        print_json(report)
    else:
        print_table(session, _COLUMNS, ((c.name, c.outcome, c.detail) for c in report.checks))
        for check in report.checks:
            if check.hint:
                session.note(f"{check.name}: {check.hint}")
    if not report.is_healthy:
        raise typer.Exit(1)


def _repo_if_any(session: Session) -> Repository | None:
    try:
        return session.repo()
    except NotFoundError:
        return None
