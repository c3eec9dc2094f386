"""Arrays of an archive as images: 8 bits per channel, read exactly or not at all.

What is certain is read: integers from 0 to 255 of any width, booleans, a channel axis that stands first. Anything else
is refused with its type and range, measured over all splits together, and the one conversion that is right for them. A
conversion never wraps: followed to the letter it gives what the numbers meant.

Dimension letters: N examples, H height, W width, C channels (1 or 3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isqrt

import numpy as np

from mu2net_core.data.sources.npz_faults import usual_values
from mu2net_core.errors import DataError

__all__ = ["read_pixels"]

_STEP = 4096
_DIM = 63
_SCALES_APART = 8
_HALF = 0.5
_DEPTHS = (10, 12, 14, 16)
_ON_WHITE = '(x[..., :-1] * (x[..., -1:] / 255) + 255 * (1 - x[..., -1:] / 255)).round().astype("uint8")'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """The least and greatest number; where some are NaN or infinite, instead of that how many, and in which images."""

    least: float
    greatest: float
    not_finite: int = 0
    where: tuple[str, ...] = ()


def read_pixels(
    arrays: Mapping[str, np.ndarray], counts: Mapping[str, int], what: str
) -> tuple[Mapping[str, np.ndarray], tuple[str, ...]]:
    """Returns the images as uint8 [N, H, W] or [N, H, W, C], and what should be known of how they were read.

    Args:
        arrays: of all splits, by name.
        counts: how many labels stand beside each.
        what: names the archive in messages.

    Raises:
        DataError: they are no images, or numbers that can be read in more than one way.
    """
    kinds = {array.dtype.kind for array in arrays.values()}
    if not kinds <= set("buif"):
        found = ", ".join(f"{name} {array.dtype}" for name, array in arrays.items())
        raise DataError(
            f"{what}: expected images as numbers, found {found}.",
            hint="For the names of image files: folder:PATH reads the files." if kinds & set("US") else None,
        )
    notes: list[str] = []
    shaped = {name: _shaped(array, counts[name], f"{what}, {name}", notes) for name, array in arrays.items()}
    if kinds == {"b"}:
        notes.append("the images are booleans: read as 0 and 255")
        return {name: array.astype(np.uint8) * np.uint8(255) for name, array in shaped.items()}, tuple(notes)
    ranges = {name: _measure(name, array) for name, array in shaped.items() if array.size}
    joint = _joined(ranges.values())
    whole = kinds <= {"u", "i"}
    if not whole or joint.least < 0 or joint.greatest > 255:
        raise _refused(joint, ranges, {name: shaped[name] for name in ranges}, what, whole=whole)
    notes += _dim(int(joint.greatest))
    if _on_several_scales(ranges):
        notes.append(f"the images are not on one scale: {_listed(ranges)}")
    return {name: array.astype(np.uint8, copy=False) for name, array in shaped.items()}, tuple(notes)


def _shaped(array: np.ndarray, count: int, what: str, notes: list[str]) -> np.ndarray:
    """Returns an array as [N, H, W] or [N, H, W, C]."""
    shape = array.shape
    if array.ndim == 4 and shape[1] in {1, 3} and shape[3] not in {1, 3} and 0 not in shape:
        notes.append(f"{what}: channels first, {list(shape)}: read as x.transpose(0, 2, 3, 1)")
        array = array.transpose(0, 2, 3, 1)
    wrong = array.ndim not in {3, 4} or (array.ndim == 4 and array.shape[3] not in {1, 3}) or 0 in array.shape[1:]
    if not wrong and shape[0] == count:
        return array
    if not wrong and shape[-1] != count:
        raise DataError(f"{what}: expected one label per image, found {shape[0]} images and {count} labels.")
    raise DataError(
        f"{what}: expected images [N, H, W] or [N, H, W, 1 or 3], found {shape} and {count} labels.",
        hint=_shape_hint(shape, count, bytes_already=array.dtype == np.uint8),
    )


def _shape_hint(shape: tuple[int, ...], count: int, *, bytes_already: bool) -> str | None:
    if len(shape) in {3, 4} and shape[0] != count and shape[-1] == count:
        return "The examples are along the last axis: store x = np.moveaxis(x, -1, 0)"
    if len(shape) == 2 and shape[1] > 1:
        return _flat_hint(shape[1])
    if len(shape) == 4 and shape[3] in {2, 4} and not bytes_already:
        return 'If the last channel is transparency: first bring the values to 0 ... 255 and make them bytes, "uint8".'
    if len(shape) == 4 and shape[3] in {2, 4}:
        return f"If the last channel is transparency, put them on white: store x = {_ON_WHITE}"
    if len(shape) == 4 and shape[1] in {2, 4}:
        return "If the channels come first, begin with this: x = x.transpose(0, 2, 3, 1)"
    return None


def _flat_hint(num_values: int) -> str:
    side, colour_side = isqrt(num_values), isqrt(num_values // 3)
    if side**2 == num_values:
        return f"If they are square pictures, row by row: store x = x.reshape(-1, {side}, {side})"
    if 3 * colour_side**2 == num_values:
        planes = f"x.reshape(-1, 3, {colour_side}, {colour_side})"
        return f"If they are square pictures, channel after channel as in CIFAR: store x = {planes}"
    return "mu2net learns images; these look like rows of a table."


def _measure(name: str, array: np.ndarray) -> _Range:
    """Returns the range of an array that is not empty; where it has numbers that are none, which and how many."""
    least, greatest = array.min().item(), array.max().item()
    if array.dtype.kind != "f":
        return _Range(least=int(least), greatest=int(greatest))
    if np.isfinite(least) and np.isfinite(greatest):
        return _Range(least=float(least), greatest=float(greatest))
    total, where = 0, []
    for start in range(0, len(array), _STEP):
        bad = ~np.isfinite(array[start : start + _STEP])
        total += int(bad.sum())
        rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
        where += [f"{name}[{start + row}]" for row in rows.tolist()]
    return _Range(least=0, greatest=0, not_finite=total, where=tuple(where))


def _joined(ranges: Collection[_Range]) -> _Range:
    return _Range(
        least=min((one.least for one in ranges), default=0),
        greatest=max((one.greatest for one in ranges), default=0),
        not_finite=sum(one.not_finite for one in ranges),
        where=tuple(place for one in ranges for place in one.where),
    )


def _on_several_scales(ranges: Mapping[str, _Range]) -> bool:
    """Returns whether one array is so much darker than another that it must have been scaled differently."""
    greatest = [max(abs(one.least), abs(one.greatest)) for one in ranges.values()]
    return _SCALES_APART * min(greatest, default=0) < max(greatest, default=0)


def _listed(ranges: Mapping[str, _Range]) -> str:
    return ", ".join(f"{name} from {one.least:g} to {one.greatest:g}" for name, one in ranges.items())


def _refused(
    joint: _Range, ranges: Mapping[str, _Range], arrays: Mapping[str, np.ndarray], what: str, *, whole: bool
) -> DataError:
    types = {name: str(array.dtype) for name, array in arrays.items()}
    found = " and ".join(dict.fromkeys(types.values()))
    if joint.not_finite:
        some = ", ".join(joint.where[:3]) + (f" and {len(joint.where) - 3} more" * (len(joint.where) > 3))
        return DataError(
            f"{what}: expected images of integers from 0 to 255, found {found} with {joint.not_finite} values that are "
            f"NaN or infinite, in {len(joint.where)} of the images: {some}.",
            hint="No conversion is right for these. Find out where they come from; repair or leave out those images.",
        )
    usual = {name: usual_values(array) for name, array in arrays.items()}
    near = {name: _Range(least=one.least, greatest=one.greatest) for name, one in usual.items()}
    if len(set(types.values())) > 1 or _on_several_scales(near):
        each = ", ".join(f"{name} {types[name]} from {one.least:g} to {one.greatest:g}" for name, one in ranges.items())
        return DataError(
            f"{what}: expected images of integers from 0 to 255, found {each}.",
            hint="These are not on one scale: bring each to 0 ... 255 by itself before you store them together.",
        )
    means, conversion = _conversion(joint.least, joint.greatest, whole=whole)
    if set(types.values()) == {"int8"}:
        means = f'If these are bytes that were read as signed ones, x.view("uint8") is right. Else: {means}'
    alike = " (for every split alike)" if len(ranges) > 1 else ""
    if far := [f"{name}[{row}]" for name, one in usual.items() for row in one.far]:
        most = _joined(near.values())
        told = f"{', '.join(far[:3])}{f' and {len(far) - 3} more' * (len(far) > 3)}"
        return DataError(
            f"{what}: expected images of integers from 0 to 255, found {found} from {joint.least:g} to "
            f"{joint.greatest:g}, of which all but a few lie within {most.least:g} to {most.greatest:g}: "
            f"{len(far)} of {sum(map(len, arrays.values()))} images go far beyond, {told}.",
            hint="Leave out the images that are faulty, or cut off what lies beyond. "
            f"{_cut_off(most, whole=whole)}{alike}",
        )
    return DataError(
        f"{what}: expected images of integers from 0 to 255, found {found} from {joint.least:g} to {joint.greatest:g}.",
        hint=f"{means}: store x = {conversion}{alike}",
    )


def _conversion(least: float, greatest: float, *, whole: bool) -> tuple[str, str]:
    """Returns what numbers of this range mean, and the expression that makes of them what they mean.

    Args:
        least: of all.
        greatest: of all; both finite.
        whole: whether they are of an integer type.
    """
    if least >= 0 and 255 < greatest <= 65535 and (whole or greatest > 271):
        return _deep(greatest, whole=whole)
    if not whole and 0 <= least <= greatest <= 1:
        return "For values from 0 to 1", '(x * 255).round().astype("uint8")'
    if not whole and least >= -0.05 and 0.5 < greatest <= 1.05:
        return "For values from 0 to 1, a little overshot", '(x.clip(0, 1) * 255).round().astype("uint8")'
    if not whole and least >= -16 and _DIM < greatest <= 271:
        over = least < 0 or greatest > 255
        means = "For values from 0 to 255" + ", a little overshot" * over
        return means, f'x{".clip(0, 255)" * over}.round().astype("uint8")'
    low, high = _around_zero(min(least, 0 * least), greatest, whole=whole)
    low, high = (low, high) if high > low else (low, low + 1)
    means = f"These were shifted or scaled. If you have no originals, and {low!r} is black and {high!r} is white"
    return means, f'np.interp(x.astype(float), ({low!r}, {high!r}), (0, 255)).round().astype("uint8")'


def _around_zero(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Returns the range that floats on both sides of 0 most likely were made for, and any other as it is."""
    span = max(-low, high)
    if whole or not low < 0 < high or not _HALF / 2 < span <= 1:
        return low, high
    return (-1, 1) if span > _HALF else (-_HALF, _HALF)


def _cut_off(most: _Range, *, whole: bool) -> str:
    """Returns the conversion for values that mostly lie in a range, and cuts off what lies beyond."""
    low, high = most.least, most.greatest
    if low >= 0:
        tops = [255, *(2**bits - 1 for bits in _DEPTHS)]
        low, high = 0, next((top for top in ([] if whole else [1]) + tops if high <= top), high)
    low, high = _around_zero(low, high, whole=whole)
    if whole and (low, high) == (0, 255):
        means, conversion = "For values from 0 to 255", 'x.astype("uint8")'
    else:
        means, conversion = _conversion(low, high, whole=whole)
    return f"{means}: store x = {conversion.replace('x', f'x.clip({low!r}, {high!r})', 1)}"


def _deep(greatest: float, *, whole: bool) -> tuple[str, str]:
    """Returns the same for values of more than 8 bits."""
    bits = next(bits for bits in _DEPTHS if greatest < 2**bits)
    means = f"For values of {bits} bits, 0 to {2**bits - 1}"
    if whole:
        return means, f'(x // {257 if bits == 16 else 2 ** (bits - 8)}).astype("uint8")'
    return means, f'(x * (255 / {2**bits - 1})).round().astype("uint8")'


def _dim(greatest: int) -> list[str]:
    if greatest > _DIM:
        return []
    if greatest == 0:
        return ["every pixel of every image is 0: black"]
    if greatest == 1:
        return ['the pixels are 0 and 1 of 255, nearly black: if 1 means white, store (x * 255).astype("uint8")']
    scale = f'np.interp(x, (0, {greatest}), (0, 255)).round().astype("uint8")'
    return [f"the pixels are 0 to {greatest} of 255, dark: if {greatest} means white, store x = {scale}"]
