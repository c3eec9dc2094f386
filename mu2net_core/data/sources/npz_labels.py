"""Arrays of an archive as class numbers: integers, strings, booleans or one-hot rows, told where they were renamed.

All splits are read together: a class is a class of the data set, whichever split has it.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mu2net_core.errors import DataError

__all__ = ["read_classes", "read_labels"]

_MAX_CLASSES = 1_000_000
_TOLD = 8
_Labels = Mapping[str, np.ndarray]


def read_labels(
    arrays: _Labels, counts: Mapping[str, int], names: tuple[str, ...] | None, what: str
) -> tuple[_Labels, tuple[str, ...], tuple[str, ...]]:
    """Returns each label's class number [N], the names of the classes, and what should be known of how they were read.

    Args:
        arrays: of all splits, by name: one label per example.
        counts: how many images stand beside each.
        names: of the classes, where the archive has them.
        what: names the archive in messages.

    Raises:
        DataError: they are no labels of classes, or do not fit the names.
    """
    arrays = {name: _column(array) for name, array in arrays.items()}
    _check_turned(arrays, counts, what)
    _check_alike(arrays, what)
    if any(array.ndim == 2 for array in arrays.values()):
        return _one_hot(arrays, names, what)
    if any(array.dtype.kind in "US" for array in arrays.values()):
        return _from_text({name: _text(array, f"{what}, {name}") for name, array in arrays.items()}, names, what)
    notes: list[str] = []
    if any(array.dtype.kind == "b" for array in arrays.values()) and names is None:
        notes.append("the labels are booleans: read as the classes false and true")
        names = ("false", "true")
    whole = {name: _whole(array, f"{what}, {name}") for name, array in arrays.items()}
    labels, classes, more = _from_numbers(whole, names, what)
    return labels, classes, (*notes, *more)


def read_classes(array: np.ndarray, what: str) -> tuple[str, ...]:
    """Returns the names of the classes.

    Raises:
        DataError: they are not distinct strings.
    """
    if array.dtype.kind not in "US" or array.ndim != 1:
        raise DataError(
            f"{what}: expected classes to be an array of strings, found {array.dtype} {array.shape}.",
            hint="If these are their names: store classes = classes.astype(str)" if array.ndim == 1 else None,
        )
    names = tuple(str(name) for name in _text(array, f"{what}, classes").tolist())
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{what}: expected distinct names of classes, found {twice[0]!r} more than once.")
    return names


def _column(array: np.ndarray) -> np.ndarray:
    """Returns an array without axes of length 1 after the first: MedMNIST's labels are [N, 1]."""
    return array.reshape(array.shape[:1] + tuple(length for length in array.shape[1:] if length != 1))


def _check_turned(arrays: _Labels, counts: Mapping[str, int], what: str) -> None:
    """Checks that the examples are along the first axis."""
    for name, array in arrays.items():
        if array.ndim == 2 and array.shape[0] != counts[name] == array.shape[1]:
            raise DataError(
                f"{what}, {name}: expected one label per image along the first axis, found {list(array.shape)} for "
                f"{counts[name]} images.",
                hint=f"Turn it: {name} = {name}.{'ravel()' if array.shape[0] == 1 else 'T'}",
            )


def _check_alike(arrays: _Labels, what: str) -> None:
    kinds = {"text" if array.dtype.kind in "US" else array.dtype.kind if array.dtype.kind in "b" else "number"
             for array in arrays.values()}  # fmt: skip
    ndims = {array.ndim for array in arrays.values()}
    numbers = all(array.dtype.kind in "buifUS" for array in arrays.values())
    if len(kinds) == len(ndims) == 1 and ndims <= {1, 2} and numbers:
        return
    found = "; ".join(f"{name}: {array.dtype} {list(array.shape)}" for name, array in arrays.items())
    raise DataError(
        f"{what}: expected one label per image, of the same kind in all splits (integers, strings, booleans or one-hot "
        f"rows), found {found}.",
        hint=_alike_hint(arrays, what),
    )


def _alike_hint(arrays: _Labels, what: str) -> str | None:
    """Returns what makes the labels of all splits alike, where some are text or one-hot rows and some are numbers."""
    texts = [name for name, array in arrays.items() if array.dtype.kind in "US" and array.ndim == 1]
    numbers = [name for name, array in arrays.items() if array.dtype.kind in "iu" and array.ndim == 1]
    rows = [name for name, array in arrays.items() if array.dtype.kind in "buif" and array.ndim == 2]
    if rows and len(rows) + len(numbers) == len(arrays):
        return "Make class numbers of one-hot rows: " + "; ".join(f"{name} = {name}.argmax(axis=1)" for name in rows)
    if not texts or not numbers or len(texts) + len(numbers) < len(arrays):
        return None
    if all(_are_numbers(_text(arrays[name], f"{what}, {name}").tolist()) for name in texts):
        return "The strings are numbers: " + "; ".join(f"{name} = {name}.astype(int)" for name in texts)
    named = "; ".join(f"{name} = np.unique({texts[0]})[{name}]" for name in numbers)
    return f"If the numbers count the names from 0, in alphabetical order: {named}. Else name the classes everywhere."


def _are_numbers(labels: Iterable[str]) -> bool:
    return all(label.isascii() and label.removeprefix("-").isdecimal() for label in labels)


def _one_hot(
    arrays: _Labels, names: tuple[str, ...] | None, what: str
) -> tuple[_Labels, tuple[str, ...], tuple[str, ...]]:
    widths = {array.shape[1] for array in arrays.values()}
    width = widths.pop()
    if widths or width == 0 or width > _MAX_CLASSES or (names is not None and len(names) != width):
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        told = "" if names is None else f" for {len(names)} class names"
        raise DataError(f"{what}: expected one-hot rows of one column per class{told}, found {found}.")
    for name, array in arrays.items():
        _check_one_hot(array, f"{what}, {name}")
    labels = {name: array.argmax(axis=1) for name, array in arrays.items()}
    note = f"the labels are one-hot rows of {width}: read as the place of the 1"
    return labels, names or tuple(map(str, range(width))), (note,)


def _check_one_hot(array: np.ndarray, what: str) -> None:
    if array.dtype.kind not in "buif":
        raise DataError(f"{what}: expected one label per image, found rows of {array.dtype} {list(array.shape)}.")
    binary = np.isin(array, (0, 1)).all(axis=1)
    if not binary.all():
        row = int(np.flatnonzero(~binary)[0])
        raise DataError(
            f"{what}: expected one label per image, or rows with one 1 among 0s; found {list(array.shape)} with "
            f"{', '.join(f'{value:.3g}' for value in array[row, :_TOLD].tolist())} in row {row}.",
            hint=_rows_hint(array),
        )
    ones = array.astype(np.int64).sum(axis=1)
    several, none = int((ones > 1).sum()), int((ones == 0).sum())
    if several or none:
        hint = "Leave images without a class out: keep = y.sum(axis=1) == 1; x = x[keep]; y = y[keep]"
        if several:
            hint = "Several classes per image are not supported; for one of them make a task of its own: y = y[:, 0]"
        raise DataError(
            f"{what}: expected exactly one class per image; of {len(array)} rows {several} have several ones and "
            f"{none} have none.",
            hint=hint,
        )


def _rows_hint(array: np.ndarray) -> str:
    """Returns what to do about rows of other numbers than 0 and 1."""
    most = array.max()
    one_stands_out = len(np.unique(array)) == 2 and bool(((array == most).sum(axis=1) == 1).all())
    if one_stands_out or not np.array_equal(array, np.rint(array)):
        return "If a row says how likely each class is, and the likeliest is meant: store y = y.argmax(axis=1)"
    return "If each column is a labelling of its own, such as coarse and fine classes, choose one: store y = y[:, 0]"


def _text(array: np.ndarray, what: str) -> np.ndarray:
    """Returns an array of strings or bytes as an array of objects: str, composed as Unicode says (NFC)."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        points = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if points.max() > sys.maxunicode:
            raise DataError(f"{what}: expected text, found characters that are none.")
    try:
        items = array.tolist()
        texts = [unicodedata.normalize("NFC", item if isinstance(item, str) else item.decode()) for item in items]
        for text in set(texts):
            text.encode()
    except (ValueError, OverflowError) as exc:
        name = what.rpartition(", ")[2]
        raise DataError(
            f"{what}: expected text in UTF-8, found characters that are none ({exc}).",
            hint=f'If they are of Western Europe: store {name} = np.char.decode({name}, "latin-1")'
            if array.dtype.kind == "S"
            else None,
        ) from exc
    made = np.empty(len(texts), object)
    made[:] = texts
    return made


def _from_text(
    arrays: _Labels, names: tuple[str, ...] | None, what: str
) -> tuple[_Labels, tuple[str, ...], tuple[str, ...]]:
    counts = Counter(label for array in arrays.values() for label in array.tolist())
    if "" in counts:
        raise DataError(
            f"{what}: expected a name for every label, found {counts['']} that are empty.",
            hint='Leave these examples out, or name their class: keep = y != ""; x = x[keep]; y = y[keep]',
        )
    strange = sorted(set(counts) - set(names)) if names is not None else []
    if strange:
        raise DataError(
            f"{what}: expected labels among the {len(names or ())} names in classes, found {_some(strange)} too."
        )
    classes = names or tuple(sorted(counts, key=(lambda label: (int(label), label)) if _are_numbers(counts) else None))
    numbered = {label: number for number, label in enumerate(classes)}
    labels = {
        name: np.fromiter((numbered[label] for label in array.tolist()), np.int64, len(array))
        for name, array in arrays.items()
    }
    note = () if names is not None else (f"the labels are strings: the classes are {_some(classes)}, in this order",)
    return labels, classes, note


def _whole(array: np.ndarray, what: str) -> np.ndarray:
    """Returns an array of booleans, integers or whole floats as integers."""
    if array.dtype.kind != "f":
        return array.astype(np.int64) if array.dtype.kind == "b" else array
    missing = np.flatnonzero(~np.isfinite(array))
    if len(missing):
        raise DataError(
            f"{what}: expected a label for every image, found NaN or infinity for {len(missing)}: "
            f"{_some([str(row) for row in missing.tolist()])}.",
            hint="Leave images without labels out: keep = np.isfinite(y); x = x[keep]; y = y[keep]",
        )
    broken = np.flatnonzero(array != np.rint(array))
    if len(broken) or (array.size and float(np.abs(array).max()) > 2**53):
        odd = array[broken[0]] if len(broken) else np.abs(array).max()
        raise DataError(
            f"{what}: expected labels of classes, found {array.dtype} with values such as {odd:g}.",
            hint="mu2net learns classes, not quantities: store the number or the name of each image's class.",
        )
    return array.astype(np.int64)


def _from_numbers(
    arrays: _Labels, names: tuple[str, ...] | None, what: str
) -> tuple[_Labels, tuple[str, ...], tuple[str, ...]]:
    counts: Counter[int] = Counter()
    for array in arrays.values():
        counts.update(dict(zip(*(part.tolist() for part in np.unique(array, return_counts=True)), strict=True)))
    values = sorted(counts)
    if values and values[0] < 0:
        found = _some([f"{value} ({counts[value]} times)" for value in values])
        raise DataError(
            f"{what}: expected labels from 0, found {found}.",
            hint=f"If {values[0]} means that there is no label: keep = y >= 0; x = x[keep]; y = y[keep]. "
            "If these are classes, name them: y = y.astype(str)",
        )
    if names is not None:
        return _with_names(arrays, names, values, counts, what)
    if len(values) > _MAX_CLASSES:
        raise DataError(f"{what}: expected at most {_MAX_CLASSES} classes, found {len(values)} different labels.")
    classes = tuple(map(str, values))
    if values == list(range(len(values))):
        return arrays, classes, ()
    packed = {name: np.searchsorted(np.asarray(values, array.dtype), array) for name, array in arrays.items()}
    why = "begin at 1" if values[0] == 1 and values[-1] == len(values) else "are not 0, 1, 2 ..."
    return packed, classes, (f"the labels {why}: the {len(classes)} classes are named as they are, {_some(classes)}",)


def _with_names(
    arrays: _Labels, names: tuple[str, ...], values: Sequence[int], counts: Mapping[int, int], what: str
) -> tuple[_Labels, tuple[str, ...], tuple[str, ...]]:
    """Returns labels that index ``names``, from 0, or from 1 if the last name would have no example otherwise."""
    if values and values[0] == 1 and values[-1] == len(names):
        note = f"the labels are 1 to {len(names)}: 1 is {names[0]!r}, {len(names)} is {names[-1]!r}"
        return {name: array.astype(np.int64) - 1 for name, array in arrays.items()}, names, (note,)
    outside = [f"{value} ({counts[value]} times)" for value in values if value >= len(names)]
    if outside:
        raise DataError(
            f"{what}: Label out of range: expected 0 to {len(names) - 1} for {len(names)} names in classes, found "
            f"{_some(outside)}.",
            hint="Name every class, in the order of the labels.",
        )
    return arrays, names, ()


def _some(items: Sequence[str]) -> str:
    return ", ".join(items[:_TOLD]) + (f" and {len(items) - _TOLD} more" if len(items) > _TOLD else "")
