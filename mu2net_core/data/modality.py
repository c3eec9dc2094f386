"""What is done with the examples of one kind of input, from a source to a model.

Whatever carries examples (a task's description, its fingerprint, streams, training) asks the modality of their kind.
Other packages add one in the entry points ``mu2net.modalities``, by the kind's name.

Dimension letters: N examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mu2net_core.data.source import Options, Stored
from mu2net_core.errors import DataError
from mu2net_core.objects import Hyperparameter, Input, Other
from mu2net_core.plugins import Registry

if TYPE_CHECKING:
    import jax

__all__ = ["MODALITIES", "Change", "Modality", "Reader", "Survey", "modality_of"]

Reader = Callable[[Stored], np.ndarray]
"""Returns a stored example as a model takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A random change of training examples, as settings that cost no compilation.

    Attributes:
        apply: returns inputs [N, ...] changed, each for itself: a pure function that JAX traces, the same object for
            all settings, of the inputs, the settings and the data of a threefry key, uint32 [2].
        settings: arrays in a tree that JAX knows.
    """

    apply: Callable[[jax.Array, Any, jax.Array], jax.Array]
    settings: Any


class Survey:
    """What the examples of a data set have in common, gathered in the pass that fingerprints them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._shapes = dict[tuple[int, ...], str]()

    def look(self, stored: Stored, split: str = "train") -> bool:
        """Returns whether an example, of a split of the task, can be read; takes it in if so."""
        del split
        self._shapes.setdefault(np.shape(stored.input), stored.name)
        return True

    def check(self, uri: str) -> None:
        """Checks that every example of the data set ``uri`` can be read as it is meant.

        Raises:
            DataError: they cannot.
        """
        if len(self._shapes) > 1:
            found = " and ".join(f"{list(shape)} ({name})" for shape, name in list(self._shapes.items())[:2])
            raise DataError(f"Expected the examples of {uri} to have one shape, found {found}.")

    def input(self) -> Input:
        """Returns what goes into models."""
        return Other(kind=self._kind, values={"shape": list(next(iter(self._shapes)))})

    def options(self) -> Options:
        """Returns how examples are read, to be kept with the task."""
        return {}

    def notes(self) -> Iterator[str]:
        """Yields what was decided about the examples, a sentence each."""
        yield from ()

    def typical_size(self) -> tuple[int, ...] | None:
        """Returns how large examples are, as their kind says it; None of what has no size.

        (H, W) in pixels of images: half of them are lower, half are narrower.
        """
        return None

    def cut_off(self, shape: tuple[int, ...]) -> str | None:
        """Returns what models of examples of ``shape`` read nothing of, in a sentence; None if that is nothing."""
        del shape
        return None


class Modality:
    """One kind of input. As it is, examples are arrays of one shape, which a model takes as they are.

    Attributes:
        kind: as a task's input calls it.
        plural: what several examples are called in messages.
        dtype: of what a model takes.
        preparation: hyperparameters of how examples are changed. All children of a generation share them.
    """

    kind: str
    plural: str = "examples"
    dtype: str = "float32"
    preparation: frozenset[str] = frozenset()

    def survey(self, options: Options) -> Survey:
        """Returns what is told of each example of a data set that is opened with ``options``."""
        del options
        return Survey(self.kind)

    def hashed(self, stored: Stored) -> tuple[tuple[int, ...], bytes]:
        """Returns the shape and the bytes that an example is told apart by, the same on every machine."""
        if isinstance(stored.input, bytes):  # an encoded file
            return (), stored.input
        array = np.asarray(stored.input, np.dtype(self.dtype).newbyteorder("<"))
        return array.shape, array.tobytes()

    def own_shape(self, given: Input) -> tuple[int, ...] | None:
        """Returns the shape that all examples have, if those of other shapes can be made of them; None if not."""
        del given
        return None

    def refitted(self, example: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Returns what ``reader`` makes in ``shape``, of an example that it made in its own shape."""
        del shape
        return example

    def reader(self, given: Input, shape: tuple[int, ...], options: Options) -> Reader:
        """Returns what makes stored examples such as a model takes; several threads use it at once.

        Args:
            given: what goes into models of the task.
            shape: of one example as the model takes it.
            options: of the task.
        """
        del given, options

        def read(stored: Stored) -> np.ndarray:
            array = np.asarray(stored.input, self.dtype)
            if array.shape != shape:
                raise DataError(f"{stored.name}: expected the shape {list(shape)}, found {list(array.shape)}.")
            return array

        return read

    def change(self, hyperparameters: Mapping[str, Hyperparameter]) -> Change | None:
        """Returns how training examples are changed at random; None if they stay as they are.

        Raises:
            InvalidInputError: a value is not a number in its range.
        """
        del hyperparameters
        return None


MODALITIES: Registry[Modality] = Registry(
    group="mu2net.modalities",
    what="kind of input",
    shipped={
        "image": "mu2net_core.data.modalities.image:IMAGES",
        "table": "mu2net_core.data.modalities.table:TABLES",
        "text": "mu2net_core.data.modalities.text:TEXTS",
    },
    offers=("kind", "plural", "dtype", "preparation", "survey", "hashed", "own_shape", "refitted", "reader", "change"),
)
"""What is done with inputs, by their kind."""


def modality_of(kind: str) -> Modality:
    """Returns what is done with inputs of a kind.

    Raises:
        PluginError: nobody here can work with them.
    """
    return MODALITIES.load(kind)
