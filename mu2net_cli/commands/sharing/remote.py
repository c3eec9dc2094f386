"""``mu2net remote``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.completion import complete_remote
from mu2net_cli.parsing.light import LightCommand, LightGroup
from mu2net_cli.parsing.options import JsonFlag, ReadersOption, parse_readers
from mu2net_cli.parsing.reaching import reachable
from mu2net_cli.printing.render import Column, print_fields, print_json, print_table
from mu2net_cli.printing.text import print_line
from mu2net_cli.session import session_of
from mu2net_core.errors import StorageError

if TYPE_CHECKING:
    from mu2net_core.api.sharing.check_remote import RemoteCheck

__all__ = ["remote"]

remote = typer.Typer(cls=LightGroup, add_completion=False, rich_markup_mode=None, invoke_without_command=True)

_NAME = typer.Argument(metavar="NAME", help="The remote.", autocompletion=complete_remote)
_COLUMNS = (
    *(Column(title="name", style="bold"), Column(title="url"), Column(title="readers"), Column(title="clone")),
    *(Column(title="probed"), Column(title="options")),
)


@remote.callback()
def overview(ctx: typer.Context) -> None:
    """Add, check, change, list and remove remotes.

    A remote is another repository, in a folder or bucket that others can reach.

    Example: mu2net remote add origin s3://team-bucket/system
    """
    if ctx.invoked_subcommand is None:
        list_remotes(ctx)


@remote.command("add", cls=LightCommand)
@reachable
def add_remote(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it here, e.g. origin.")],
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="A folder, s3://, gs:// or abfs://; the first push makes the repository."),
    ],
    *,
    readers: ReadersOption = None,
    options: Mapping[str, str],
    full: Annotated[bool, typer.Option("--full", help="Bring all components with every fetch.")] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not look at it now, e.g. offline.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a remote, after a look at what it allows.

    With --readers it may also hold what those may read; without, only what is public. Credentials are never stored:
    they come from the environment, a profile or the machine's role.

    Example: mu2net remote add team s3://bucket/system --readers team-a
    """
    from mu2net_core.api.sharing.remote import add

    session = session_of(ctx)
    repo, who = session.repo(), parse_readers(readers)
    info = add(repo, session.context, name, url, readers=who, full=full, options=options, check=not no_check)
    if as_json:
        print_json(info)
        return
    session.say(f"Added remote {info.name}: {info.url} ({_readers(info.readers)})")
    if info.verdict not in {None, "safe"}:
        session.note(f"It is {info.verdict}: {info.reason}")


@remote.command("set", cls=LightCommand)
@reachable
def set_remote(
    ctx: typer.Context,
    name: Annotated[str, _NAME],
    *,
    readers: ReadersOption = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Everybody can read what is there.")] = False,
    options: Mapping[str, str],
    as_json: JsonFlag = False,
) -> None:
    """Change who can read a remote, or how it is reached.

    An empty value takes an option away, as in --profile "".

    Example: mu2net remote set origin --readers team-a
    """
    from mu2net_core.api.sharing.remote import change

    session = session_of(ctx)
    who = () if everybody else None if readers is None else parse_readers(readers)
    info = change(session.repo(), name, readers=who, options=options)
    if as_json:
        print_json(info)
        return
    session.say(f"Remote {info.name}: {info.url} ({_readers(info.readers)}) {_options(info.options)}".rstrip())


@remote.command("check", cls=LightCommand)
def check_remote(
    ctx: typer.Context,
    name: Annotated[str | None, _NAME] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Try what a remote, or every remote, allows and keeps.

    Tried are reading, listing, creating and deleting; whether one of several writers wins who create the same object,
    one after the other and at once; the clock and the latency. What is written for that is removed again. Exits with 5
    if a remote cannot be reached or is not safe to share.

    Example: mu2net remote check origin
    """
    from mu2net_core.api.sharing.check_remote import check

    session = session_of(ctx)
    checks = check(session.repo(), session.context, name)
    if as_json:
        print_json(checks)
    else:
        for number, found in enumerate(checks):
            if number:
                print_line("")
            print_fields(_findings(found))
    failed = next((found for found in checks if found.problem is not None), None)
    if failed is not None:
        raise StorageError(f"{failed.name}: {failed.problem}", hint=failed.hint)


@remote.command("list", cls=LightCommand)
def list_remotes(ctx: typer.Context, *, as_json: JsonFlag = False) -> None:
    """List the remotes.

    Example: mu2net remote list
    """
    from mu2net_core.api.sharing.remote import list_

    session = session_of(ctx)
    infos = list_(session.repo())
    if as_json:
        print_json(infos)
        return
    rows = (
        (i.name, i.url, _readers(i.readers), "partial" if i.partial else "full", i.verdict or "-", _options(i.options))
        for i in infos
    )
    print_table(session, _COLUMNS, rows)


@remote.command("remove", cls=LightCommand)
def remove_remote(ctx: typer.Context, name: Annotated[str, _NAME], *, as_json: JsonFlag = False) -> None:
    """Remove a remote; nothing over there is touched.

    Example: mu2net remote remove team
    """
    from mu2net_core.api.sharing.remote import remove

    session = session_of(ctx)
    info = remove(session.repo(), name)
    if as_json:
        print_json(info)
        return
    session.say(f"Removed remote {info.name}: {info.url}")


def _readers(readers: tuple[str, ...] | None) -> str:
    return "for everybody" if readers is None else f"for {','.join(readers)}"


def _options(options: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def _findings(found: RemoteCheck) -> dict[str, str]:
    """Returns what was found at a remote, as names and sentences."""
    fields = {"remote": found.name, "url": found.url, "credentials": found.credentials or "none needed"}
    report = found.report
    if report is None:
        return {**fields, "verdict": "failed"}
    fields["holds"] = "a repository" if report.is_repository else "no repository yet"
    fields["rights"] = ", ".join(report.rights)
    fields["clock"] = "not compared" if report.skew_s is None else _skew(report.skew_s)
    fields["latency"] = f"{_milliseconds(report.read_s)} to read, {_milliseconds(report.create_s)} to create"
    fields["races"] = str(report.num_races)
    if report.remark is not None:
        fields["remark"] = report.remark
    return {**fields, "verdict": report.verdict + (f": {report.reason}" if report.reason else "")}


def _skew(seconds: float) -> str:
    if abs(seconds) < 2:
        return "as ours"
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} ours"


def _milliseconds(seconds: float | None) -> str:
    return "not tried" if seconds is None else f"{1000 * seconds:.1f} ms"
