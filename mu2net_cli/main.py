"""The entry point: global options, one error boundary, exit codes."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer

from mu2net_cli.parsing.group import VerbGroup
from mu2net_cli.parsing.usage import UsageError, report_usage
from mu2net_cli.printing.text import print_failure, print_line, visible
from mu2net_core import __version__
from mu2net_core.errors import Mu2netError
from mu2net_core.redaction import redact

__all__ = ["app", "main", "run"]

_INTERRUPTED = 130

app = typer.Typer(
    cls=VerbGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:  # noqa: FBT001
    if value:
        print_line(f"mu2net {__version__}")
        raise typer.Exit


@app.callback(epilog="More of a verb: mu2net help VERB. Options of the list above may stand after the verb, too.")
def mu2net(  # the session reads these from the context: see session_of
    *,
    directory: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="Run as if started in DIR.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print only results and errors.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print more about what happens.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR=1 does the same.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No live display of progress.")] = False,
    header: Annotated[bool, typer.Option("--header", help="Titles over the columns in a pipe, too.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Git for a living, shared machine-learning system: evolve one multitask model together."""


def run(args: Sequence[str]) -> None:
    """Runs one command line in this process; errors propagate, a non-zero exit raises ``typer.Exit``."""
    code = _command().main(list(args), prog_name="mu2net", standalone_mode=False)
    if isinstance(code, int) and code:
        raise typer.Exit(code)


@cache
def _command() -> Any:
    """Returns what understands command lines, made once for all that this process runs."""
    return typer.main.get_command(app)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command line ``args`` and returns its exit code; without ``args``, as the process's own main."""
    if args is not None:
        return _guarded(list(args))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to stop
    sys.excepthook = _print_traceback
    code = _guarded(sys.argv[1:])
    if code == _INTERRUPTED:
        _leave_at_once(code)
    return code


def _print_traceback(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
    """Prints what Python prints of an exception with ``--debug``, harmless and without the secrets libraries repeat."""
    lines = redact("".join(traceback.format_exception(kind, exc, trace))).split("\n")
    sys.stderr.write("\n".join(map(visible, lines)))


def _leave_at_once(code: int) -> None:
    """Ends the process without Python's own clean-up, under which threads of XLA that still compute crash.

    Nothing is lost: every file of a repository appears whole or not at all, and locks end with the process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _guarded(args: list[str]) -> int:
    """Runs a command line and returns its exit code; errors become messages here and nowhere else."""
    try:
        run(args)
    except (typer.Exit, typer.Abort, UsageError, SystemExit) as exc:
        return _ended(exc, as_json="--json" in args)
    except Mu2netError as exc:
        if "--debug" in args:
            raise
        _report(exc, as_json="--json" in args)
        return exc.exit_code
    except KeyboardInterrupt:
        print_line("Interrupted.", err=True)
        return _INTERRUPTED
    except Exception as exc:
        if "--debug" in args:
            raise
        return _unexpected(exc, as_json="--json" in args)
    return 0


def _unexpected(exc: Exception, *, as_json: bool) -> int:
    """Reports an error that nobody translated where it was met, and returns the exit code."""
    from mu2net_core.api.failures import explained

    error = explained(exc)
    if error is not None:
        _report(error, as_json=as_json)
        return error.exit_code
    print_line(f"error: unexpected {type(exc).__name__}: {redact(str(exc))}", err=True)
    print_line("hint: this is a defect; 'mu2net --debug COMMAND' shows where it happened", err=True)
    return 1


def _ended(exc: Any, *, as_json: bool) -> int:
    """Returns the exit code of an end that typer signals by an exception, and says what it does not."""
    if isinstance(exc, UsageError):
        report_usage(exc, as_json=as_json)
        return 2
    if isinstance(exc, typer.Abort):
        print_line("Aborted.", err=True)
        return 1
    code = exc.code if isinstance(exc, SystemExit) else exc.exit_code
    if code == _INTERRUPTED:  # typer turns Ctrl-C into this
        print_line("Interrupted.", err=True)
    return code if isinstance(code, int) else int(bool(code))


def _report(exc: Mu2netError, *, as_json: bool) -> None:
    if as_json:
        from mu2net_core.api.failures import Failure

        print_failure(Failure.of(exc))
        return
    print_line(f"error: {exc.message}", err=True)
    if exc.hint:
        print_line(f"hint: {exc.hint}", err=True)


if __name__ == "__main__":
    sys.exit(main())
