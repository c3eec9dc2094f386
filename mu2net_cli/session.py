"""What the global options say, handed to every command as ``ctx.obj``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mu2net_cli.parsing.program import as_called, program_in
from mu2net_cli.printing.text import print_line
from mu2net_core.api.context import Context
from mu2net_core.errors import NotFoundError

if TYPE_CHECKING:
    from mu2net_core.repo import Repository

__all__ = ["Session", "session_of", "warn_of_unknown_settings", "warn_of_wrong_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of the command line.

    Attributes:
        context: clock, host, environment and working directory for the core.
        quiet: print results and errors only.
        verbose: print more about what happens.
        color: False never, None where the terminal can.
        progress: whether a live display may be drawn on a terminal.
        header: whether columns in a pipe have titles.
    """

    context: Context
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None
    progress: bool = True
    header: bool = False

    @classmethod
    def start(
        cls,
        *,
        directory: Path | None = None,
        quiet: bool = False,
        verbose: bool = False,
        no_color: bool = False,
        no_progress: bool = False,
        header: bool = False,
        **_others: object,
    ) -> Session:
        """Returns the session of this process from the global options, as if started in ``directory``."""

        def warn(text: str) -> None:
            if not quiet:
                print_line(as_called(f"warning: {text}", program), err=True)

        program = program_in(directory)
        context = replace(Context.default(), warn=warn, program=program)
        if directory is not None:
            folder = (context.cwd / Path(directory).expanduser()).resolve()  # an older typer leaves a string
            if not folder.is_dir():
                raise NotFoundError(f"Cannot work in {folder}: there is no such folder.")
            context = replace(context, cwd=folder)
        color = False if no_color or context.environ.get("NO_COLOR") else None
        return cls(context=context, quiet=quiet, verbose=verbose, color=color, progress=not no_progress, header=header)

    def flags(self) -> list[str]:
        """Returns the global options that ask for this session, but for the working directory."""
        chosen = {
            "--quiet": self.quiet,
            "--verbose": self.verbose,
            "--no-color": self.color is False,
            "--no-progress": not self.progress,
        }
        return [flag for flag, is_set in chosen.items() if is_set]

    def repo(self) -> Repository:
        """Returns the repository the working directory lies in."""
        from mu2net_core.api.setup.open import open_repo

        return open_repo(None, self.context)

    def path(self, path: Path) -> Path:
        """Returns ``path`` as the user meant it: relative to the working directory."""
        return Path(os.path.normpath(self.context.cwd / path.expanduser()))

    def say(self, text: str) -> None:
        """Prints what an action did, to stdout; silent with ``--quiet``."""
        if not self.quiet:
            print_line(as_called(text, self.context.program))

    def note(self, text: str) -> None:
        """Prints a remark to stderr; silent with ``--quiet``."""
        if not self.quiet:
            print_line(as_called(text, self.context.program), err=True)

    @property
    def interactive(self) -> bool:
        """Whether somebody can answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @property
    def styled(self) -> bool:
        """Whether text may be bold."""
        return self.color is not False and self.context.environ.get("TERM") != "dumb"

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal on which a live display may be drawn."""
        return self.progress and not self.quiet and sys.stderr.isatty()


def session_of(ctx: typer.Context) -> Session:
    """Returns the session that the global options of the running command line ask for."""
    return Session.start(**ctx.find_root().params)


def warn_of_wrong_settings(session: Session, repo: Repository) -> None:
    """Prints a warning for each value in force that cannot be right, and for all that is no setting."""
    from mu2net_core.api.setup.setting_checks import wrong_settings

    for warning in wrong_settings(repo, session.context):
        session.note(f"warning: {warning}")
    warn_of_unknown_settings(session, repo)


def warn_of_unknown_settings(session: Session, repo: Repository) -> None:
    """Prints a warning for all that looks like a setting of ours and is none."""
    from mu2net_core.api.settings.settings import unknown_settings

    for warning in unknown_settings(repo, session.context):
        session.note(f"warning: {warning}")
