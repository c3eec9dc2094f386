"""``mu2net fsck``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.options import JsonFlag, complete_remote
from mu2net_cli.render import counted, print_json, quantity
from mu2net_cli.session import session_of
from mu2net_cli.text import print_line

__all__ = ["fsck"]


def fsck(
    ctx: typer.Context,
    *,
    repair_from: Annotated[
        str | None,
        typer.Option(metavar="REMOTE", help="Take good copies from there.", autocompletion=complete_remote),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check every object, reference and access rule.

    Exits with 1 if anything is wrong.

    Example: mu2net fsck --repair-from origin
    """
    from mu2net_core.api.fsck import fsck as fsck_api

    session = session_of(ctx)
    report = fsck_api(session.repo(), session.context, repair_from=repair_from)
    if as_json:
        print_json(report)
    else:
        for key in report.repaired:
            session.say(f"repaired {key}")
        for problem in report.problems:
            print_line(f"{problem.kind}: {problem.object}: {problem.message}")
        counts = ", ".join(_counted(what, number) for what, number in report.counts.items() if number)
        session.say(f"{'Clean' if report.is_clean else 'Damaged'}: checked {counts}")
    if not report.is_clean:
        raise typer.Exit(1)


def _counted(what: str, number: int) -> str:
    """Returns one count of the report in words, e.g. ``13 components``, ``1.03MB``, ``2 unreachable objects``."""
    if what == "bytes":
        return f"{quantity(number)}B"
    return counted(number, {"entries": "entry", "tags": "tag", "unreachable": "unreachable object"}.get(what, what))
