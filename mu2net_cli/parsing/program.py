"""How the command line is called here, and commands in texts that do not know it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from mu2net_cli.parsing.verbs import VERBS

__all__ = ["as_called", "program_in"]

_CALL = re.compile(rf"(?<![\w./@-])mu2net (?=(?:{'|'.join(VERBS)})\b(?![.-]))")


def program_in(directory: Path | str | None, folder: Path | str | None = None) -> str:
    """Returns how commands begin that work in a folder, from where the user is.

    Args:
        directory: what was given with ``-C``, if anything.
        folder: below that, if not that itself.
    """
    place = Path(directory or "", folder or "")
    return "mu2net" if place == Path() else f"mu2net -C {shlex.quote(str(place))}"


def as_called(text: str, program: str) -> str:
    """Returns ``text`` with ``program`` where it calls ``mu2net VERB``."""
    return _CALL.sub(lambda _: f"{program} ", text)
