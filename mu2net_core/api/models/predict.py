"""``predict``: what a stored model says of images, texts or rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.brought import brought_options
from mu2net_core.api.machine.devices import check_not_forked
from mu2net_core.api.models.loading import UsedModel, load_model
from mu2net_core.api.models.passages import Passage, PassageNotices, find_passages
from mu2net_core.api.models.pictures import STDIN, Picture, Unreadable, find_pictures
from mu2net_core.api.models.records import Given, Record, find_records
from mu2net_core.api.models.stored import StoredModel
from mu2net_core.data import Notices, Stored, fit, modality_of, range_of
from mu2net_core.engine import numbers, probabilities
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError
from mu2net_core.objectives import Classify, Multilabel, Regress
from mu2net_core.objects import Image, Table, Text
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Watch

__all__ = ["Prediction", "Predictor", "Unreadable", "predict"]

THRESHOLD = 0.5
"""How likely a label must be to be said, where nobody says otherwise."""

_Read = tuple[np.ndarray, tuple[str, ...]]
"""An example as the model takes it, and what is to be known of how it was read."""

_Example = Picture | Passage | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the model says of one example.

    Attributes:
        name: what the user calls it: the path of an image as it was given, a text itself, a row's file and number.
        path: of the file; ``-`` for bytes, texts and rows.
        label: the likeliest class; the number, in six digits, where numbers come out; of several labels those that are
            said, joined by commas.
        label_index: its place among the task's classes; None where numbers or several labels come out.
        probability: of it, in [0, 1]; likewise.
        value: the number where numbers come out, else None.
        labels: where several labels come out those that are at least as likely as the threshold, with their
            probabilities, the likeliest first; else None.
        top: the likeliest classes or labels with their probabilities, the likeliest first.
        remarks: what is to be known of how the image was read: ``transparent`` (white lies behind parts), ``blank``
            (nothing but white then), ``first of several`` (in its file), ``cut off`` (values beyond the task's range),
            ``all but black``; of a text ``cut off`` (the end is not read), ``empty``, ``lost characters`` (no UTF-8).
    """

    name: str
    path: Path
    label: str
    label_index: int | None
    probability: float | None
    value: float | None = None
    labels: tuple[tuple[str, float], ...] | None = None
    top: tuple[tuple[str, float], ...]
    remarks: tuple[str, ...]


class Predictor:
    """A stored model ready to be used; its components are read once.

    It belongs to the process that made it: in a fork of that, JAX would wait for ever, so that using it there is an
    error. Workers are started with ``multiprocessing.get_context("spawn")``, and each opens the model itself.

    Attributes:
        stored: the model and its task.
    """

    def __init__(self, repo: Repository, context: Context, revision: str, *, progress: Watch | None = None) -> None:
        """Loads the model that ``revision`` names; ``progress`` is told of every component that is brought."""
        used = load_model(repo, context, revision, "predict for", progress)
        self.stored: StoredModel = used.stored
        self._model, self._objective = used.loaded, _askable(used)
        self._warn, self._limits = context.warn, repo.limits
        taken = used.loaded.input_spec
        self._reader = modality_of(taken.kind).reader(
            self.stored.task.input, taken.shape, {**self.stored.task.options, **brought_options(repo, taken)}
        )
        self._num_bytes = None if taken.tokenizer else taken.shape[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes or labels, in label order."""
        return self.stored.task.output.labels

    def probabilities(
        self, examples: np.ndarray | Sequence[str] | Sequence[Mapping[str, object]], *, resize: bool = False
    ) -> np.ndarray:
        """Returns float32 [N, C]: the probability of each class, or label, of each example; float64 [N] of numbers.

        Args:
            examples: texts, rows (cells by their columns), or images: uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3],
                of the size the task's have.
            resize: accept any size and number of channels, and convert as training did.

        Raises:
            InvalidInputError: wrong type, shape or size.
        """
        if isinstance(self.stored.task.input, Text):
            return self._of([self._numbers(passage.data) for passage in find_passages(_texts(examples))])
        if isinstance(self.stored.task.input, Table):
            records = map(
                _readable, find_records(examples, self.stored.task, folder=Path(), limits=self._limits, warn=self._warn)
            )
            return self._of([self._numbers(record.data) for record in records])
        batch = np.asarray(examples)
        if batch.dtype != np.uint8 or batch.ndim not in {3, 4}:
            raise InvalidInputError(
                f"Expected images as uint8 [N, H, W] or [N, H, W, C], got {batch.dtype} {list(batch.shape)}."
            )
        if batch.ndim == 3:
            batch = batch[..., None]
        return self._of([self._ready(pixels, f"image {i}", resize=resize) for i, pixels in enumerate(batch)])

    def predict(
        self,
        examples: np.ndarray | Sequence[str] | Sequence[Mapping[str, object]],
        *,
        resize: bool = False,
        threshold: float = THRESHOLD,
    ) -> np.ndarray:
        """Returns int64 [N]: the index of each example's likeliest class, or float64 [N]: its number.

        Of several labels bool [N, C]: which are at least as likely as ``threshold``. Other arguments as in
        ``probabilities``.
        """
        _check_threshold(threshold)
        said = self.probabilities(examples, resize=resize)
        if isinstance(self._objective, Multilabel):
            return said >= threshold
        return said if isinstance(self._objective, Regress) else np.argmax(said, axis=-1)

    def predict_files(self, paths: Sequence[Path], *, top: int = 1, resize: bool = False) -> tuple[Prediction, ...]:
        """Returns a prediction for each image file.

        Raises:
            NotFoundError: no such file.
            DataError: not an image, or of another size or mode than the task's and ``resize`` is off.
        """
        told = []
        for one in self._each((Picture(name=str(path), path=path) for path in paths), top=top, resize=resize):
            if isinstance(one, Unreadable):
                raise one.error
            told.append(one)
        return tuple(told)

    def _each(
        self,
        examples: Iterable[_Example | Unreadable],
        *,
        top: int = 1,
        resize: bool = False,
        threshold: float = THRESHOLD,
    ) -> Iterator[Prediction | Unreadable]:
        """Yields, in order, a prediction for each example, or why there is none; memory is that of one batch.

        What was cut off, composed or left out of them is warned of at the end, with how many there are.

        Args:
            examples: to be read, as many as there are.
            top: how many of the likeliest classes are told.
            resize: accept any size and number of channels, and convert as training did.
            threshold: how likely a label must be to be said, of several.
        """
        say = partial(self._describe, top=top, threshold=threshold)
        following, notices, num_read = iter(examples), (Notices(), PassageNotices()), 0
        while batch := list(islice(following, self._model.batch)):
            read = [self._read(example, *notices, resize=resize) for example in batch]
            ready = [one[0] for one in read if not isinstance(one, Unreadable)]
            num_read += len(ready)
            rows = iter(self._of(ready) if ready else ())
            for example, one in zip(batch, read, strict=True):
                yield one if isinstance(one, Unreadable) else say(example, one[1], next(rows))
        pictures, passages = notices
        for note in (*pictures.of_shape(num_read), *pictures.of_values(num_read), *passages.of(num_read)):
            self._warn(note)

    def _read(
        self, example: _Example | Unreadable, pictures: Notices, passages: PassageNotices, *, resize: bool
    ) -> _Read | Unreadable:
        if isinstance(example, Unreadable):
            return example
        if isinstance(example, Record):
            return self._read_record(example)
        if isinstance(example, Passage):
            return self._numbers(example.data), passages.see(example.name, self._num_bytes)
        return self._read_picture(example, pictures, resize=resize)

    def _read_record(self, record: Record) -> _Read | Unreadable:
        try:
            return self._numbers(record.data), ()
        except Mu2netError as exc:
            return Unreadable(name=record.name, path=Path(STDIN), error=exc, what="row")

    def _read_picture(self, picture: Picture, notices: Notices, *, resize: bool) -> _Read | Unreadable:
        try:
            decoded = picture.read(range_of(self.stored.task.options))
            pixels = self._ready(decoded.pixels, picture.name, resize=resize)
        except Mu2netError as exc:
            return Unreadable(name=picture.name, path=picture.path, error=exc)
        return pixels, notices.see(picture.name, decoded)

    def _ready(self, pixels: np.ndarray, name: str, *, resize: bool) -> np.ndarray:
        expected = self.stored.task.input
        if not resize and isinstance(expected, Image):
            _check_size(pixels, expected, name)
        height, width, channels = self._model.input_spec.shape
        return fit(pixels, (height, width), channels)

    def _numbers(self, data: bytes) -> np.ndarray:
        """Returns a text or a row as the model takes it."""
        return self._reader(Stored(name="example", input=data, label=0))

    def _of(self, ready: list[np.ndarray]) -> np.ndarray:
        if not ready:
            raise InvalidInputError("Expected at least one image, text or row.")
        check_not_forked()
        if isinstance(self._objective, Regress):
            return numbers(self._model, self._objective, np.stack(ready))
        return probabilities(self._model, self._objective, np.stack(ready))

    def _describe(
        self,
        example: _Example | Unreadable,
        remarks: tuple[str, ...],
        row: np.ndarray,
        *,
        top: int,
        threshold: float,
    ) -> Prediction:
        path = Path(STDIN) if isinstance(example, (Passage, Record)) else example.path
        said = partial(Prediction, name=example.name, path=path, remarks=remarks)
        if isinstance(self._objective, Regress):
            value = float(row)
            return said(label=f"{value:.6g}", label_index=None, probability=None, value=value, top=())
        order = np.argsort(-row, kind="stable")
        ranked = tuple((self.classes[int(i)], float(row[int(i)])) for i in order)
        if isinstance(self._objective, Multilabel):
            labels = tuple((label, chance) for label, chance in ranked if chance >= threshold)
            names = ", ".join(label for label, _ in labels)
            return said(label=names, label_index=None, probability=None, labels=labels, top=ranked[:top])
        best = int(order[0])
        return said(label=self.classes[best], label_index=best, probability=float(row[best]), top=ranked[:top])


def predict(
    repo: Repository,
    context: Context,
    revision: str,
    examples: Given | Iterable[Given],
    *,
    top: int = 1,
    resize: bool = False,
    threshold: float = THRESHOLD,
    progress: Watch | None = None,
) -> Iterator[Prediction | Unreadable]:
    """Returns an iterator over what a model says of examples, in order; what cannot be read is told in its place.

    The model is loaded at once. Examples are read batch by batch as the iterator goes on, however many there are.

    Args:
        repo: whose model.
        context: of the call; relative paths start from its ``cwd``.
        revision: a task, commit or model.
        examples: one or many. Images: files, folders (all images below them, sorted by name), and encoded images as
            bytes. Texts: strings, and bytes of UTF-8 with a text on each line. Rows: files of rows, JSON objects, in
            bytes one on each line, and mappings.
        top: how many of the likeliest classes are told.
        resize: accept images of any size and mode, and convert them as training did.
        threshold: how likely a label must be to be said, of a task with several.
        progress: told of every component that is brought.

    Raises:
        NotFoundError: no such revision, or the task has no model yet.
        InvalidInputError: the revision is a root model, which solves no task, or the threshold is no probability.
    """
    _check_threshold(threshold)
    predictor = Predictor(repo, context, revision, progress=progress)
    task = predictor.stored.task
    if isinstance(task.input, Table):
        return predictor._each(
            find_records(examples, task, folder=context.cwd, limits=repo.limits, warn=context.warn),
            top=top,
            threshold=threshold,
        )
    plain: Any = examples
    if isinstance(task.input, Text):
        return predictor._each(find_passages(plain), top=top, threshold=threshold)
    pictures = find_pictures(plain, folder=context.cwd, warn=context.warn)
    return predictor._each(pictures, top=top, resize=resize, threshold=threshold)


def _askable(used: UsedModel) -> Classify | Multilabel | Regress:
    """Returns what the outputs mean of a model that can be asked; raises DataError for any other."""
    task = used.stored.task
    if isinstance(used.objective, (Classify, Multilabel, Regress)) and isinstance(task.input, (Image, Text, Table)):
        return used.objective
    raise DataError(
        f"Cannot predict for {task.name}: {task.input.kind} goes in and {task.output.kind} come out of its models, and "
        "predicting is for image, text or table and classes, labels or number only.",
        hint=f"How good it is: mu2net eval {task.name}",
    )


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"threshold: expected a probability from 0 to 1, got {threshold}.")


def _readable(record: Record | Unreadable) -> Record:
    if isinstance(record, Unreadable):
        raise record.error
    return record


def _texts(examples: np.ndarray | Sequence[object]) -> list[str]:
    """Returns texts; raises InvalidInputError for anything else."""
    given = [examples] if isinstance(examples, str) else list(examples)
    texts = [text for text in given if isinstance(text, str)]
    if len(texts) < len(given):
        raise InvalidInputError("Expected a sequence of texts: the task's examples are of the kind text.")
    return texts


def _check_size(pixels: np.ndarray, expected: Image, name: str) -> None:
    height, width, channels = pixels.shape
    same_size = expected.height in {None, height} and expected.width in {None, width}
    if same_size and channels == expected.channels:
        return
    raise DataError(
        f"{name}: the task's images are {_size(expected.height, expected.width, expected.channels)}, "
        f"this one is {_size(height, width, channels)}.",
        hint="Convert it the way the training images were: --resize (in Python: resize=True).",
    )


def _size(height: int | None, width: int | None, channels: int) -> str:
    mode = "grey" if channels == 1 else "colour"
    return f"{width or 'any'} x {height or 'any'} pixels, {mode}"
