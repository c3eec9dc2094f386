"""``mu2net cache info`` and ``mu2net cache prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from mu2net_cli.parsing.light import LightCommand, LightGroup
from mu2net_cli.parsing.options import JsonFlag
from mu2net_cli.printing.render import counted, print_fields, print_json, quantity
from mu2net_cli.session import session_of

__all__ = ["cache"]

cache = typer.Typer(cls=LightGroup, add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@cache.callback()
def bounds() -> None:
    """Say how much could be fetched again, and delete some of it.

    A partial clone fetches components when something needs them, and keeps them until they are pruned.
    """


@cache.command("info", cls=LightCommand)
def info(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """Say which components are here, and which of them a remote has, too.

    What was never pushed is never part of the cache. Asks nobody: what remotes have is as it was last seen.

    Example: mu2net cache info
    """
    from mu2net_core.api.models.cache import info as info_api

    session = session_of(ctx)
    report = info_api(session.repo(), session.context)
    if as_json:
        print_json(report)
        return
    there = {f"on {share.name}": _amount(share.num_components, share.size_bytes) for share in report.remotes}
    cached = {"cached": _amount(report.num_cached, report.cached_bytes)}
    print_fields({**cached, **there, "only here": _amount(report.num_kept, report.kept_bytes)})


@cache.command("prune", cls=LightCommand)
def prune(
    ctx: typer.Context,
    *,
    max_size: Annotated[
        str, typer.Option("--max-size", metavar="SIZE", help="Let so much stay, e.g. 2GB; 0 for none.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete components that a remote has, the longest unused first.

    They come back when something needs them. Each is deleted only if the remote has the same bytes of it; what running
    iterations need stays. mu2net config set cache.max_size 2GB does this after every evolve, pull and eval.

    Example: mu2net cache prune --max-size 2GB
    """
    from mu2net_core.api.models.cache import prune as prune_api

    session = session_of(ctx)
    report = prune_api(session.repo(), session.context, max_size, dry_run=dry_run)
    if as_json:
        print_json(report)
        return
    doing = "Would delete" if dry_run else "Deleted"
    session.say(f"{doing} {_amount(report.num_pruned, report.pruned_bytes)}; {quantity(report.cached_bytes)}B stay")
    if report.num_unsure:
        stay = counted(report.num_unsure, "component")
        session.note(f"{stay} stay because no remote was seen to have the same bytes. See: mu2net fsck --remote NAME")
    for error in report.errors:
        session.note(f"warning: {error}")


def _amount(number: int, size_bytes: int) -> str:
    return f"{counted(number, 'component')}, {quantity(size_bytes)}B"
