"""Options and arguments that several commands share."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.parsing.completion import complete_any_task, complete_preset, complete_revision, complete_root
from mu2net_core.errors import InvalidInputError

__all__ = [
    "FolderArgument",
    "JsonFlag",
    "OptionalTask",
    "PresetOption",
    "ReadersOption",
    "RevisionArgument",
    "RootOption",
    "RootSeedOption",
    "Seed",
    "TaskArgument",
    "parse_budget",
    "parse_columns",
    "parse_kinds",
    "parse_readers",
]

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_budget(text: str | None) -> float | None:
    """Returns a duration such as ``90s``, ``30m``, ``2h`` or ``1d`` in seconds.

    Raises:
        InvalidInputError: it is no such duration, or not positive.
    """
    if text is None:
        return None
    match = _BUDGET.fullmatch(text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise InvalidInputError(f"Not a duration: {text!r}. Expected a positive number and s, m, h or d, e.g. 30m.")
    return float(match[1]) * _UNITS_S[match[2]]


def parse_readers(text: str | None) -> tuple[str, ...]:
    """Returns the names in ``a,b``; none for None."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def parse_columns(text: str | None) -> tuple[str, ...]:
    """Returns the names in ``a,b``; one that holds a comma stands in double quotes."""
    return tuple(name.strip() for name in next(csv.reader([text or ""], skipinitialspace=True), ()) if name.strip())


def parse_kinds(texts: Sequence[str]) -> dict[str, str]:
    """Returns what columns are, by name, of texts such as ``age=number``.

    Raises:
        InvalidInputError: one is none such.
    """
    pairs = [text.rpartition("=") for text in texts]
    for text, (name, _, kind) in zip(texts, pairs, strict=True):
        if not name or not kind:
            raise InvalidInputError(f"Not a column and its kind: {text!r}.", hint="Example: --kind zip=category")
    return {name.strip(): kind.strip() for name, _, kind in pairs}


RootOption = Annotated[
    str,
    typer.Option(
        "--root",
        metavar="ROOT",
        help="random, a checkpoint's file or URL, augreg:Ti_16, S_16, B_16, L_16, or a Hugging Face or timm folder.",
        autocompletion=complete_root,
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="In a repository of auto: the preset, e.g. vit-ti3.",
        autocompletion=complete_preset,
    ),
]
RootSeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of a random root model.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Make every random decision from N.")]
FolderArgument = Annotated[Path | None, typer.Argument(metavar="DIR", help="The folder, made if need be.")]
TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="A task.", autocompletion=complete_any_task)]
OptionalTask = Annotated[
    str | None, typer.Argument(metavar="TASK", help="Only this task.", autocompletion=complete_any_task)
]
RevisionArgument = Annotated[
    str,
    typer.Argument(
        metavar="REVISION", help="A task, TASK@{N}, TASK~N, a tag or an id.", autocompletion=complete_revision
    ),
]
ReadersOption = Annotated[
    str | None, typer.Option("--readers", metavar="A,B", help="Groups that can read what is there.")
]
