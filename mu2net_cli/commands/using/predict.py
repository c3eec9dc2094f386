"""``mu2net predict``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag, RevisionArgument
from mu2net_cli.printing.render import percent, print_json_items
from mu2net_cli.printing.text import print_line, print_row, visible
from mu2net_cli.printing.transfers import transfer_progress
from mu2net_cli.session import Session, session_of
from mu2net_core.api.failures import Failure
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from mu2net_core.api.models.predict import Prediction, Unreadable

__all__ = ["UnusableExample", "predict"]

_STDIN = "-"
_TITLES = ("example", "label", "probability")
_WIDTHS = (40, 24, 11)


def predict(
    ctx: typer.Context,
    revision: RevisionArgument,
    examples: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXAMPLE...",
            help="Image files; folders: all images below; texts; files of rows; -: stdin, an image, or a line each.",
        ),
    ] = None,
    *,
    paths_from: Annotated[
        str | None,
        typer.Option(
            "--paths-from", metavar="FILE", help="Names, or texts, from FILE (-: stdin), ended by newlines or NULs."
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Show the N likeliest labels.")] = 1,
    threshold: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, metavar="P", help="Of several labels, say those that are at least so likely."),
    ] = 0.5,
    resize: Annotated[bool, typer.Option("--resize", help="Accept images of another size or mode.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask a model about images, texts or rows.

    Results come in order and as soon as they are there, however many examples there are. An image or row that cannot be
    used does not keep the others: it is told on stderr, with --json as an item with 'error', and the exit code is 6.
    Where a task has several labels, those above --threshold are said; with --top N the N likeliest, whatever they are.

    Example: mu2net predict cmaterdb/bangla scan1.png scans --top 3

    Example: mu2net predict income new-people.csv

    Example: mu2net predict reviews "Not worth the price." "I love it."
    """
    from mu2net_core.api.models.predict import predict as predict_api

    session = session_of(ctx)
    names = _named(session, examples or (), paths_from)
    repo = session.repo()
    with transfer_progress(session) as watch:
        results = predict_api(
            repo, session.context, revision, names, top=top, resize=resize, threshold=threshold, progress=watch
        )
    outcome = _Outcome(results, on_unusable=(lambda _bad: None) if as_json else _tell)
    if as_json:
        print_json_items(map(_item, outcome))
    else:
        _print_rows(outcome)
    outcome.check()


def _named(session: Session, examples: Sequence[str], paths_from: str | None) -> list[str | bytes]:
    """Returns what the command line names: paths or texts, and for ``-`` the bytes that come on stdin."""
    if paths_from == _STDIN and _STDIN in examples:
        raise InvalidInputError("stdin can give one image or the names of images, not both.")
    listed = [] if paths_from is None else _names_in(_read(session, paths_from))
    if not examples and not listed:
        raise InvalidInputError(
            "No image or text is named." if paths_from is None else f"No image or text is named in {paths_from}.",
            hint="Name image files or folders, or give texts; - takes one image, or a text on each line, from stdin.",
        )
    return [*(_read(session, name) if name == _STDIN else name for name in examples), *listed]


def _read(session: Session, name: str) -> bytes:
    if name == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return session.path(Path(name)).read_bytes()
    except OSError as exc:
        raise NotFoundError(f"Cannot read the names of images in {name}: {exc.strerror}.") from exc


def _names_in(data: bytes) -> list[str]:
    """Returns the names in a list: ended by NULs, as ``find -print0`` does, if there is one; else one per line."""
    ended = data.split(b"\0") if b"\0" in data else (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [name.decode(sys.getfilesystemencoding(), "surrogateescape") for name in ended if name]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableExample:
    """An image or a row that could not be used.

    Attributes:
        name: what the user calls it: the path as it was given, or a row's file and number.
        path: of the file; ``-`` for bytes and rows.
        error: why.
    """

    name: str
    path: Path
    error: Failure


@dataclass(slots=True)
class _Outcome:
    """The results, one after the other, and what became of those that could not be used.

    Of several these are told as they come; if there is only one example, its error is the command's.
    """

    results: Iterable[Prediction | Unreadable]
    on_unusable: Callable[[Unreadable], None]
    count: int = 0
    unusable: list[Unreadable] = field(default_factory=list)

    def __iter__(self) -> Iterator[Prediction | Unreadable]:
        from mu2net_core.api.models.predict import Unreadable

        told = 0
        for one in self.results:
            self.count += 1
            if isinstance(one, Unreadable):
                self.unusable.append(one)
            if self.count > 1:
                for bad in self.unusable[told:]:
                    self.on_unusable(bad)
                told = len(self.unusable)
            yield one

    def check(self) -> None:
        """Raises what went wrong, if anything did, now that all results are out."""
        if not self.unusable:
            return
        if self.count == 1:
            raise self.unusable[0].error
        hints = dict.fromkeys(bad.error.hint for bad in self.unusable if bad.error.hint)
        good = self.count - len(self.unusable)
        rest = f"the other {good} {'was' if good == 1 else 'were'}" if good else "none could"
        raise DataError(
            f"{len(self.unusable)} of {self.count} {self.unusable[0].what}s could not be used; {rest}.",
            hint=" ".join(hints) or None,
        )


def _tell(unusable: Unreadable) -> None:
    print_line(f"error: {unusable.error.message}", err=True)


def _item(one: Prediction | Unreadable) -> object:
    """Returns a result as an item of the JSON document."""
    from mu2net_core.api.models.predict import Prediction

    if isinstance(one, Prediction):
        return one
    return UnusableExample(name=one.name, path=one.path, error=Failure.of(one.error))


def _print_rows(results: Iterable[Prediction | Unreadable]) -> None:
    """Prints a row per label as soon as it is there: aligned on a terminal, else separated by tabs."""
    from mu2net_core.api.models.predict import Prediction

    on_terminal = sys.stdout.isatty()
    if on_terminal:
        _print_aligned(_TITLES)
    for one in results:
        for label, share in _said(one) if isinstance(one, Prediction) else ():
            cells = (one.name, label, share)
            if on_terminal:
                _print_aligned(cells)
            else:
                print_row(cells, between="\t")


def _said(one: Prediction) -> list[tuple[str, str]]:
    """Returns the likeliest labels, and how likely they are; of a number, itself."""
    if one.value is not None:
        return [(one.label, "")]
    likely = one.top if one.labels is None or len(one.top) > 1 else one.labels
    return [(label, percent(share)) for label, share in likely] or [("-", "")]


def _print_aligned(cells: Sequence[str]) -> None:
    name, label, share = (visible(cell) for cell in cells)
    print_row((name.ljust(_WIDTHS[0]), label.ljust(_WIDTHS[1]), share.rjust(_WIDTHS[2])), between="  ")
