"""``mu2net add-task``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mu2net_cli.parsing.options import JsonFlag, PresetOption, parse_columns, parse_kinds, parse_readers
from mu2net_cli.printing.describe import access_text, output_text
from mu2net_cli.printing.render import percent, print_json, quantity, short
from mu2net_cli.session import session_of
from mu2net_core.errors import InvalidInputError

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.api.tasks.choosing import Chosen
    from mu2net_core.api.tasks.options import TaskOptions
    from mu2net_core.objects import Head
    from mu2net_core.repo import Repository

__all__ = ["add_task"]

_Spec = Annotated[str | None, typer.Option(metavar="SPEC", help="Examples to use, e.g. 'train[:80%]'.")]


def add_task(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="cmaterdb/bangla, folder:PATH, data.csv, ...")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Of --preview: a page (.html), or a contact sheet (.png).")
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Default: what DATASET suggests.")] = None,
    train: _Spec = None,
    validation: _Spec = None,
    test: _Spec = None,
    private: Annotated[bool, typer.Option("--private", help="No other task may use what is learned.")] = False,
    readers: Annotated[str | None, typer.Option(metavar="A,B", help="Only these groups may use it.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, metavar="N", help="Class folders lie N deep.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken images or rows out.")] = False,
    skip_stray: Annotated[
        bool,
        typer.Option(
            "--skip-stray", help="Leave images at another depth, or beside the splits, out (folder:, archive:)."
        ),
    ] = False,
    value_range: Annotated[
        str | None,
        typer.Option("--range", metavar="LOW:HIGH", help="What is black and white in images of more than 8 bits."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of rows: the column to learn; A,B: a label each.")
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar="A,B", help="Only these columns go in.")] = None,
    leave_out: Annotated[str | None, typer.Option(metavar="A,B", help="These columns do not go in.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=KIND", help="What a column is: number, category, date or none. May be repeated."),
    ] = None,
    split_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column that says which split a row is of.")
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Rows of one value of this column stay in one split.")
    ] = None,
    time_by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Of this column the newest rows test, those before validate.")
    ] = None,
    image: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that names or holds images.")] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What the target is: classes, labels or number. Default: as it looks."),
    ] = None,
    label_separator: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Between several labels in a cell (--output labels).")
    ] = None,
    separator: Annotated[str | None, typer.Option(metavar="CHAR", help="Between the cells (csv:).")] = None,
    decimal: Annotated[str | None, typer.Option(metavar="CHAR", help="Before fractions: . or , (csv:).")] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Of the text (csv:, jsonl:).")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first row has names (csv:).")
    ] = None,
    no_quotes: Annotated[bool, typer.Option("--no-quotes", help="Quotes are plain characters (csv:).")] = False,
    metric: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How quality is measured. Default: accuracy; map of labels, r2 of numbers."),
    ] = None,
    class_weights: Annotated[
        str | None, typer.Option(metavar="NAME", help="balanced: rare classes count as much in the loss as others.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where prepared data sets lie.")] = None,
    preset: PresetOption = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what it would be, in FILE if there is one; add nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a task: a data set the system shall learn.

    DATASET is a TensorFlow Datasets name, folder:PATH with one sub-folder of images per class, archive:PATH with the
    same in a ZIP or tar archive, npz:PATH, sklearn:digits, a file of rows: csv:PATH, jsonl:PATH or parquet:PATH,
    datasets:PATH, a folder that Hugging Face's datasets saved, or webdataset:PATH, tar files of samples. A path alone
    (./pets, pets.zip, data.csv, 'train-*.tar') is read as its ending and what lies there say.
    Splits, counts and a fingerprint of the examples are pinned in the task. A task that was removed takes up its last
    model again if its data, splits and readers are the same. In a repository of the preset auto it gets the preset that
    its data asks for, and that a root if there is none; --preset names another. --preview shows all of that and adds
    nothing.

    Example: mu2net add-task cmaterdb/bangla --private

    Example: mu2net add-task adult.csv --target income --class-weights balanced

    Example: mu2net add-task films.csv --target genres --output labels

    Example: mu2net add-task pets.zip --preview pets.html
    """
    from mu2net_core.api.tasks.add_task import add_task as add_task_api
    from mu2net_core.api.tasks.add_task import was_purged
    from mu2net_core.api.tasks.options import TaskOptions

    session = session_of(ctx)
    _check_file(file, preview=preview)
    repo = session.repo()
    choices: list[Chosen] = []
    options = TaskOptions(
        name=name,
        train=train,
        validation=validation,
        test=test,
        private=private,
        readers=parse_readers(readers),
        depth=depth,
        skip_bad=skip_bad,
        skip_stray=skip_stray,
        value_range=value_range,
        target=target,
        columns=parse_columns(columns),
        leave_out=parse_columns(leave_out),
        kinds=parse_kinds(kind or ()),
        split_by=split_by,
        group_by=group_by,
        time_by=time_by,
        image=image,
        output=output,
        label_separator=label_separator,
        separator=separator,
        decimal=decimal,
        encoding=encoding,
        header=header,
        quotes=not no_quotes,
        metric=metric,
        class_weights=class_weights,
        data_dir=str(session.path(data_dir)) if data_dir else None,
        preset=preset,
    )
    if preview:
        _preview(session, repo, dataset, file, options, as_json=as_json)
        return
    head = add_task_api(
        repo,
        session.context,
        dataset,
        options,
        on_skipped=lambda image: session.note(f"warning: left out {image}: it cannot be read"),
        on_choice=choices.append,
    )
    if as_json:
        print_json(head)
        return
    task = head.task
    counts = ", ".join(f"{split.num_examples} {name}" for name, split in task.splits.items())
    access = access_text(task.name, task.access.readers)
    output = output_text(task.output.kind, task.output.size)
    session.say(f"Added task {task.name} ({access}): {output}; {counts} examples of {task.source}")
    for line in (line for chosen in choices for line in _choice(chosen)):
        session.say(line)
    if head.commit.parents:
        session.say(_again(head, purged=was_purged(repo, head)))
    session.note(f"Next: mu2net evolve --task {shlex.quote(task.name)}")


def _check_file(file: Path | None, *, preview: bool) -> None:
    if file is not None and not preview:
        raise InvalidInputError(f"One data set at a time: {file} is one too many.", hint="A FILE goes with --preview")


def _preview(
    session: Session, repo: Repository, dataset: str, file: Path | None, options: TaskOptions, *, as_json: bool
) -> None:
    from mu2net_cli.printing.previewing import preview_lines
    from mu2net_core.api.tasks.preview import preview_task

    where = None if file is None else session.path(file)
    found = preview_task(repo, session.context, dataset, options, file=where)
    if as_json:
        print_json(found)
        return
    for line in preview_lines(found):
        session.say(line)
    for image in found.skipped:
        session.note(f"warning: left out {image}: it cannot be read")
    for remark in found.remarks:
        session.note(f"warning: {remark}")
    session.note(f"Nothing was added{'' if where is None else f'; {where} shows it'}")


def _choice(chosen: Chosen) -> Iterator[str]:
    """Yields which preset a task got and why, and where its first models come from."""
    yield f"Preset {chosen.preset}, {chosen.why}: {chosen.summary[0].lower()}{chosen.summary[1:]}"
    if chosen.root is None:
        yield "It begins with the root, and with layers of other tasks, that this preset has here already"
    else:
        yield f"It begins with a new root, {chosen.root.name}: {quantity(chosen.root.num_params)} random parameters"


def _again(head: Head, *, purged: bool) -> str:
    """Returns what became of the model of a task that was removed before."""
    if purged:
        return "It was purged before and begins anew: nothing is left of what it had learned"
    if head.model is None:
        return "It was removed before and continues its history without a model: none was made for this very task"
    quality = f"validation {percent(head.model.quality)}, test {percent((head.refit or head.model).test_quality)}"
    return f"It was removed before and takes up its last model again: {short(head.commit.model)} ({quality})"
