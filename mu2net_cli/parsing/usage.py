"""Command lines that cannot be read: what typer found wrong, in our words or as JSON."""

from __future__ import annotations

import re
from typing import Any

import typer

from mu2net_cli.printing.text import print_failure, print_line
from mu2net_core.redaction import redact

__all__ = ["UsageError", "report_usage"]

UsageError: Any = typer.BadParameter.__mro__[1]
"""The class of all usage errors, which typer does not name itself."""

_NUMBER = re.compile(r"-[0-9.]+")

_CONVERSION = "Value error, "
"""What the library that converts values puts before messages of ours."""


def report_usage(exc: Any, *, as_json: bool) -> None:
    """Prints a usage error to stderr: the usage, the error and a hint, or one JSON document."""
    message = redact(exc.format_message().replace(_CONVERSION, ""))
    path = exc.ctx.command_path if exc.ctx is not None else "mu2net"
    hint = f"All that {path} takes: {path} --help"
    if " " in path and (commands := getattr(exc.ctx.command, "commands", None)):
        hint = f"{path} goes on with {' or '.join(commands)}: {path} --help"
    if _NUMBER.fullmatch(getattr(exc, "option_name", "")):
        hint = f"For a number below 0, write -- before it: {path} ... -- {exc.option_name}"
    if as_json:
        from mu2net_core.api.failures import Failure

        print_failure(Failure(kind="usage", message=message, hint=hint, exit_code=exc.exit_code))
        return
    if exc.ctx is not None:
        print_line(exc.ctx.get_usage(), err=True)
    print_line(f"error: {message}", err=True)
    print_line(f"hint: {hint}", err=True)
