"""Labels of stored examples as arrays, of the shape and type that the task's output says."""

from __future__ import annotations

import numpy as np

from mu2net_core.data.source import Stored
from mu2net_core.errors import DataError
from mu2net_core.objects import Classes, Labels, Output

__all__ = ["checked_label", "empty_labels"]


def empty_labels(output: Output, count: int) -> np.ndarray:
    """Returns room for ``count`` labels."""
    return np.empty((count, *output.label_shape), output.label_dtype)


def checked_label(stored: Stored, output: Output) -> np.ndarray:
    """Returns the label of an example, little-endian.

    Raises:
        DataError: it is none that models of that output could give.
    """
    if isinstance(output, Classes):
        _check_class(stored, output.size)
    label = np.asarray(stored.label, np.dtype(output.label_dtype).newbyteorder("<"))
    if label.shape != output.label_shape:
        raise DataError(
            f"A label of another shape in {stored.name}: expected {list(output.label_shape)}, got {list(label.shape)}."
        )
    if not np.isfinite(label).all():
        raise DataError(f"A label that is no number: {stored.label} in {stored.name}.")
    if isinstance(output, Labels) and not np.isin(stored.label, (0, 1)).all():
        raise DataError(f"Labels out of range: expected 0 or 1 for each, found {stored.label} in {stored.name}.")
    return label


def _check_class(stored: Stored, num_classes: int) -> None:
    if not (isinstance(stored.label, int | np.integer) and 0 <= stored.label < num_classes):
        raise DataError(
            f"Label out of range: expected 0 to {num_classes - 1}, found {stored.label} in {stored.name}.",
            hint="If these examples have no labels, choose others with --train, --validation or --test.",
        )
