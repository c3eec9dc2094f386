"""``mu2net fsck``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.parsing.completion import complete_remote
from mu2net_cli.parsing.maintenance import upkeep_progress
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import counted, print_json, quantity
from mu2net_cli.printing.text import print_line
from mu2net_cli.session import session_of

__all__ = ["fsck"]


def fsck(
    ctx: typer.Context,
    *,
    remote: Annotated[
        str | None, typer.Option(metavar="REMOTE", help="Not here, but there.", autocompletion=complete_remote)
    ] = None,
    repair_from: Annotated[
        str | None,
        typer.Option(metavar="REMOTE", help="Take good copies from there.", autocompletion=complete_remote),
    ] = None,
    subset: Annotated[
        str | None, typer.Option(metavar="N/M", help="Hash only the N-th of M parts of all objects.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check every object, reference and access rule.

    Exits with 1 if anything is wrong.

    --repair-from takes a remote, or the folder or URL of any other copy. With --remote it heals that remote, from . for
    example, and sends nothing there that its readers may not see. With --subset 1/10, then 2/10, ..., ten short checks
    read every byte; references are followed in each.

    Example: mu2net fsck --repair-from origin
    """
    from mu2net_core.api.upkeep.fsck import fsck as fsck_api

    session = session_of(ctx)
    with upkeep_progress(session) as watch:
        report = fsck_api(
            session.repo(),
            session.context,
            remote=remote,
            repair_from=repair_from,
            subset=subset,
            progress=watch,
        )
    if as_json:
        print_json(report)
    else:
        for key in report.repaired:
            session.say(f"repaired {key}")
        for problem in report.problems:
            print_line(f"{problem.kind}: {problem.object}: {problem.message}")
        for warning in report.warnings:
            session.note(f"warning: {warning.object}: {warning.message}")
        counts = ", ".join(_counted(what, number) for what, number in report.counts.items() if number)
        session.say(f"{'Clean' if report.is_clean else 'Damaged'}: checked {counts}")
    if not report.is_clean:
        raise typer.Exit(1)


def _counted(what: str, number: int) -> str:
    """Returns one count of the report in words, e.g. ``13 components``, ``1.03MB``, ``2 unreachable objects``."""
    if what == "bytes":
        return f"{quantity(number)}B"
    return counted(number, {"entries": "entry", "tags": "tag", "unreachable": "unreachable object"}.get(what, what))
