"""How a command is described: the same words in ``--help`` and in docs/cli.md, whichever typer is installed."""

from __future__ import annotations

from typing import Any

__all__ = ["Described", "described_name", "described_use", "shown_params", "usage_name"]


def shown_params(command: Any) -> tuple[list[Any], list[Any]]:
    """Returns a command's arguments and its options, but for hidden ones and ``--help``."""
    shown = [param for param in command.params if param.name != "help" and not getattr(param, "hidden", False)]
    kinds = ("argument", "option")
    arguments, options = ([param for param in shown if param.param_type_name == kind] for kind in kinds)
    return arguments, options


def usage_name(argument: Any) -> str:
    """Returns an argument as the usage line shows it: ``TASK``, ``[TASK]``, ``IMAGE...``."""
    name = argument.metavar or argument.name.upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def described_name(param: Any) -> str:
    """Returns an argument's or option's name with what it takes, e.g. ``-n, --limit N``."""
    if param.param_type_name == "argument":
        return usage_name(param)
    names = ", ".join(sorted(param.opts, key=len)) + "".join(f"/{opt}" for opt in param.secondary_opts)
    return names if param.is_flag else f"{names} {param.metavar or 'N'}"


def described_use(param: Any, *, default: str) -> str:
    """Returns the help of an argument or option; where it has a default, ``default`` formatted with that follows."""
    value = param.default
    has_default = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    return (param.help or "") + (default.format(value) if has_default else "")


class Described:
    """Mixed into a class of commands, it writes their help."""

    def collect_usage_pieces(self: Any, ctx: Any) -> list[str]:  # noqa: ARG002
        """Returns the words of the usage line after the command's name."""
        arguments, _ = shown_params(self)
        pieces = ["[OPTIONS]", *map(usage_name, arguments)]
        return [*pieces, self.subcommand_metavar] if hasattr(self, "list_commands") else pieces

    def format_options(self: Any, ctx: Any, formatter: Any) -> None:
        """Writes what a command takes, and the commands of a group."""
        arguments, options = shown_params(self)
        own_help = self.get_help_option(ctx)
        for title, params in (("Arguments", arguments), ("Options", [*options, *([own_help] if own_help else [])])):
            if params:
                with formatter.section(title):
                    formatter.write_dl(
                        [(described_name(p), described_use(p, default=" (default: {})")) for p in params]
                    )
        if hasattr(self, "format_commands"):
            self.format_commands(ctx, formatter)
