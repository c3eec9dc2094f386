"""``predict``: what a stored model says of images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from mu2net_core.api.context import Context
from mu2net_core.api.machine.devices import check_not_forked
from mu2net_core.api.models.loading import UsedModel, load_model
from mu2net_core.api.models.pictures import Picture, Unreadable, find_pictures
from mu2net_core.api.models.stored import StoredModel
from mu2net_core.data import Notices, fit, range_of
from mu2net_core.engine import probabilities
from mu2net_core.errors import DataError, InvalidInputError, Mu2netError
from mu2net_core.objectives import Classify
from mu2net_core.objects import Image
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Watch

__all__ = ["Prediction", "Predictor", "Unreadable", "predict"]

_Read = tuple[np.ndarray, tuple[str, ...]]
"""The pixels of an image, and what is to be known of how they were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        name: what the user calls it: the path as it was given.
        path: of the file; ``-`` for bytes.
        label: the likeliest class.
        label_index: its place among the task's classes.
        probability: of it, in [0, 1].
        top: the likeliest classes with their probabilities, the likeliest first.
        remarks: what is to be known of how the image was read: ``transparent`` (white lies behind parts), ``blank``
            (nothing but white then), ``first of several`` (in its file), ``cut off`` (values beyond the task's range),
            ``all but black``.
    """

    name: str
    path: Path
    label: str
    label_index: int
    probability: float
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
        self._model, self._objective = used.loaded, _of_classes(used)
        self._warn = context.warn

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in label order."""
        return self.stored.task.output.labels

    def probabilities(self, images: np.ndarray, *, resize: bool = False) -> np.ndarray:
        """Returns float32 [N, C]: the probability of each class for each image.

        Args:
            images: uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3], of the size the task's images have.
            resize: accept any size and number of channels, and convert as training did.

        Raises:
            InvalidInputError: wrong type, shape or size.
        """
        batch = np.asarray(images)
        if batch.dtype != np.uint8 or batch.ndim not in {3, 4}:
            raise InvalidInputError(
                f"Expected images as uint8 [N, H, W] or [N, H, W, C], got {batch.dtype} {list(batch.shape)}."
            )
        if batch.ndim == 3:
            batch = batch[..., None]
        return self._of([self._ready(pixels, f"image {i}", resize=resize) for i, pixels in enumerate(batch)])

    def predict(self, images: np.ndarray, *, resize: bool = False) -> np.ndarray:
        """Returns int64 [N]: the index of each image's likeliest class; arguments as in ``probabilities``."""
        labels: np.ndarray = np.argmax(self.probabilities(images, resize=resize), axis=-1)
        return labels

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
        self, pictures: Iterable[Picture | Unreadable], *, top: int = 1, resize: bool = False
    ) -> Iterator[Prediction | Unreadable]:
        """Yields, in order, a prediction for each picture, or why there is none; memory is that of one batch.

        What was cut off, composed or left out of the pictures is warned of at the end, with how many there are.

        Args:
            pictures: to be read, as many as there are.
            top: how many of the likeliest classes are told.
            resize: accept any size and number of channels, and convert as training did.
        """
        following, notices, num_read = iter(pictures), Notices(), 0
        while batch := list(islice(following, self._model.batch)):
            read = [self._read(picture, notices, resize=resize) for picture in batch]
            ready = [one[0] for one in read if not isinstance(one, Unreadable)]
            num_read += len(ready)
            rows = iter(self._of(ready) if ready else ())
            for picture, one in zip(batch, read, strict=True):
                yield one if isinstance(one, Unreadable) else self._describe(picture, one[1], next(rows), top)
        for note in (*notices.of_shape(num_read), *notices.of_values(num_read)):
            self._warn(note)

    def _read(self, picture: Picture | Unreadable, notices: Notices, *, resize: bool) -> _Read | Unreadable:
        if isinstance(picture, Unreadable):
            return picture
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

    def _of(self, images: list[np.ndarray]) -> np.ndarray:
        if not images:
            raise InvalidInputError("Expected at least one image.")
        check_not_forked()
        return probabilities(self._model, self._objective, np.stack(images))

    def _describe(
        self, picture: Picture | Unreadable, remarks: tuple[str, ...], row: np.ndarray, top: int
    ) -> Prediction:
        order = np.argsort(-row, kind="stable")
        best = int(order[0])
        return Prediction(
            name=picture.name,
            path=picture.path,
            label=self.classes[best],
            label_index=best,
            probability=float(row[best]),
            top=tuple((self.classes[int(i)], float(row[int(i)])) for i in order[:top]),
            remarks=remarks,
        )


def predict(
    repo: Repository,
    context: Context,
    revision: str,
    images: Path | str | bytes | Iterable[Path | str | bytes],
    *,
    top: int = 1,
    resize: bool = False,
    progress: Watch | None = None,
) -> Iterator[Prediction | Unreadable]:
    """Returns an iterator over what a model says of images, in order; what cannot be read is told in its place.

    The model is loaded at once. Images are read batch by batch as the iterator goes on, however many there are.

    Args:
        repo: whose model.
        context: of the call; relative paths start from its ``cwd``.
        revision: a task, commit or model.
        images: one or many: files, folders (all images below them, sorted by name), and encoded images as bytes.
        top: how many of the likeliest classes are told.
        resize: accept images of any size and mode, and convert them as training did.
        progress: told of every component that is brought.

    Raises:
        NotFoundError: no such revision, or the task has no model yet.
        InvalidInputError: the revision is a root model, which solves no task.
    """
    predictor = Predictor(repo, context, revision, progress=progress)
    pictures = find_pictures(images, folder=context.cwd, warn=context.warn)
    return predictor._each(pictures, top=top, resize=resize)


def _of_classes(used: UsedModel) -> Classify:
    """Returns what the outputs mean of a model that takes images and says classes; raises DataError for any other."""
    task = used.stored.task
    if isinstance(used.objective, Classify) and isinstance(task.input, Image):
        return used.objective
    raise DataError(
        f"Cannot predict for {task.name}: {task.input.kind} goes in and {task.output.kind} come out of its models, and "
        "predicting is for image and classes only.",
        hint=f"How good it is: mu2net eval {task.name}",
    )


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
