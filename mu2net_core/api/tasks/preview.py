"""``add-task --preview``: what a data set would be as a task, and some of its examples; nothing is added."""

from __future__ import annotations

from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.tasks.contact_sheet import contact_sheet
from mu2net_core.api.tasks.examine import examine
from mu2net_core.api.tasks.options import NOTHING_SAID, TaskOptions
from mu2net_core.api.tasks.preview_page import preview_page
from mu2net_core.api.tasks.previewed import Preview, PreviewSplit
from mu2net_core.api.tasks.sampling import some_of
from mu2net_core.data import Described
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import SPLITS, Image
from mu2net_core.repo import Repository
from mu2net_core.storage import translated

__all__ = ["Preview", "PreviewSplit", "preview_task"]

_PAGES, _SHEET = {".html", ".htm"}, ".png"


def preview_task(
    repo: Repository,
    context: Context,
    uri: str,
    options: TaskOptions = NOTHING_SAID,
    *,
    file: Path | None = None,
) -> Preview:
    """Returns what a data set would be as a task; all of it is read and checked, and nothing is added.

    Arguments and errors are those of ``add_task``, and ``file``: where it is written to be looked at, as a page that
    holds everything it shows (``.html``), or as a contact sheet of images (``.png``).

    Raises:
        InvalidInputError: also where the file can be neither.
        AccessDeniedError, StorageError: it cannot be written.
    """
    ending = None if file is None else file.suffix.lower()
    if file is not None and ending not in {*_PAGES, _SHEET}:
        raise InvalidInputError(f"A preview is written as .html or .png, not as {file.name}.")
    found = examine(repo, context, uri, options)
    described, task = found.described, found.described.task
    if file is not None and ending == _SHEET and not isinstance(task.input, Image):
        raise InvalidInputError(
            f"A contact sheet is for images; {task.name} has input of the kind {task.input.kind}.",
            hint=f"Write a page: --preview {file.with_suffix('.html').name}",
        )
    shown = some_of(described)
    preview = Preview(
        name=task.name,
        source=found.place,
        input=task.input,
        output=task.output,
        metric=task.metric,
        class_weights=task.class_weights,
        preset=None if found.choice is None else found.choice.preset,
        typical_size=described.typical_size,
        splits=tuple(_split(name, described) for name in SPLITS),
        samples=tuple(one.sample for one in shown),
        skipped=described.skipped,
        remarks=found.remarks,
    )
    if file is not None:
        data = contact_sheet(preview, shown) if ending == _SHEET else preview_page(preview, shown).encode()
        with translated("write", file):
            file.write_bytes(data)
    return preview


def _split(name: str, described: Described) -> PreviewSplit:
    split, tally = described.task.splits[name], described.tallies[name]
    is_number = tally.least <= tally.most
    return PreviewSplit(
        name=name,
        spec=split.spec,
        num_examples=split.num_examples,
        counts=tuple(tally.counts.tolist()),
        least=tally.least if is_number else None,
        mean=tally.total / split.num_examples if is_number else None,
        most=tally.most if is_number else None,
    )
