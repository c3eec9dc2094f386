"""Command lines that cannot be read: what typer found wrong, in our words or as JSON."""

from __future__ import annotations

import json
from typing import Any

import typer

from mu2net_cli.text import print_document, print_line

__all__ = ["UsageError", "report_usage"]

UsageError: Any = typer.BadParameter.__mro__[1]
"""The class of all usage errors, which typer does not name itself."""

_CONVERSION = "Value error, "
"""What the library that converts values puts before messages of ours."""


def report_usage(exc: Any, *, as_json: bool) -> None:
    """Prints a usage error to stderr: the usage, the error and a hint, or one JSON document."""
    exc.message = exc.message.replace(_CONVERSION, "")
    if as_json:
        path = exc.ctx.command_path if exc.ctx is not None else "mu2net"
        hint = _misplaced(exc) or f"Try '{path} --help'."
        error = {"kind": "usage", "message": exc.format_message(), "hint": hint, "exit_code": exc.exit_code}
        print_document(json.dumps({"error": error}), err=True)
        return
    exc.show()
    if (place := _misplaced(exc)) is not None:
        print_line(f"hint: {place}", err=True)


def _misplaced(exc: Any) -> str | None:
    """Returns where an option belongs that is mu2net's own but was given after the verb."""
    name, ctx = getattr(exc, "option_name", None), exc.ctx
    if name is None or ctx is None or ctx.parent is None:
        return None
    root = ctx.find_root()
    if not any(name in param.opts for param in root.command.params):
        return None
    return f"Global options go before the verb: {root.command_path} {name} {ctx.command_path.partition(' ')[2]}"
