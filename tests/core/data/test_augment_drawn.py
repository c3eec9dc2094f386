"""What augmentation draws for images: uniform, and crops as torchvision describes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import jax
import numpy as np
import pytest

from mu2net_core.data.augmentation import Augmentation, Draw, draw
from mu2net_core.data.augmentation.affine import Affine
from mu2net_core.objects import Hyperparameter

SIZE = (24, 40)
DRAW = jax.jit(draw, static_argnums=2)


def drawn(hyperparameters: dict[str, Hyperparameter], num: int = 300, size: tuple[int, int] = SIZE) -> Draw:
    made = DRAW(Augmentation.of(hyperparameters), jax.random.key(0), num, size)
    return jax.tree.map(np.asarray, made)  # type: ignore[no-any-return]


def sampled_box(rng: Random, area_min: float, aspect_min: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns top, left, height, width as torchvision's ``RandomResizedCrop.get_params`` describes them."""
    for _ in range(10):
        area = size[0] * size[1] * rng.uniform(area_min, 1)
        aspect = math.exp(rng.uniform(math.log(aspect_min), -math.log(aspect_min)))
        height, width = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            return rng.randint(0, size[0] - height), rng.randint(0, size[1] - width), height, width
    return 0, 0, *size  # every size below has an allowed shape


@pytest.mark.parametrize(("area_min", "aspect_min"), [(0.05, 0.5), (0.5, 0.75), (0.95, 0.5), (0.5, 1.0)])
@pytest.mark.parametrize("size", [(64, 64), (60, 80)])
def test_crops_are_distributed_as_in_torchvision(area_min: float, aspect_min: float, size: tuple[int, int]) -> None:
    num, rng = 4000, Random(3)
    box = drawn({"crop_area_min": area_min, "crop_aspect_min": aspect_min}, num, size).box
    ours = np.stack([box.top, box.left, box.height, box.width]).astype(float)
    theirs = np.array([sampled_box(rng, area_min, aspect_min, size) for _ in range(num)], float).T
    assert (ours[:2] >= 0).all()
    assert (ours[:2] + ours[2:] <= np.array(size)[:, None]).all()
    for a, b in [*zip(ours, theirs, strict=True), (ours[2] * ours[3], theirs[2] * theirs[3])]:
        for power in (1, 2):
            a_power, b_power = (a / 64) ** power, (b / 64) ** power
            sigma = math.sqrt((a_power.var() + b_power.var()) / num)
            assert abs(a_power.mean() - b_power.mean()) <= 3 * sigma


def test_square_crops_keep_a_uniform_part_of_the_area() -> None:
    box = drawn({"crop_area_min": 0.5}, 4000, (512, 512)).box
    assert (box.height == box.width).all()
    parts = np.sort(box.height.astype(float) * box.width / 512**2)
    steps = np.abs(parts - np.linspace(0.5, 1, 4000)).max() / 0.5  # Kolmogorov and Smirnov's distance
    assert steps < 1.63 / math.sqrt(4000)  # 1 %
    room = np.maximum(512.0 - box.height, 1)
    down, right = box.top / room, box.left / room
    assert abs(down.mean() - 0.5) < 3 * math.sqrt(1 / 12 / 4000)
    assert abs(right.mean() - 0.5) < 3 * math.sqrt(1 / 12 / 4000)
    assert abs(np.corrcoef(down, right)[0, 1]) < 3 / math.sqrt(4000)


@pytest.mark.parametrize(
    ("size", "expected"), [((20, 60), (0, 10, 20, 40)), ((60, 20), (10, 0, 40, 20)), ((32, 32), (0, 0, 32, 32))]
)
def test_where_no_crop_fits_the_largest_central_one_is_taken(
    size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    box = drawn({"crop_aspect_min": 0.5}, 4000, size).box
    found = {tuple(int(v) for v in one) for one in zip(box.top, box.left, box.height, box.width, strict=True)}
    assert found == {expected}


@pytest.mark.parametrize(
    ("name", "centre", "delta"),
    [("brightness", 0, 0.2), ("contrast", 1, 0.1), ("saturation", 1, 0.05), ("hue", 0, 0.02)],
)
def test_colour_changes_are_uniform(name: str, centre: float, delta: float) -> None:
    places = np.sort((getattr(drawn({name: delta}, 4000), name) - centre) / delta)
    assert places[0] >= -1.001
    assert places[-1] <= 1.001
    assert np.abs(places - np.linspace(-1, 1, 4000)).max() / 2 < 1.63 / math.sqrt(4000)  # Kolmogorov, Smirnov, 1 %
    others = {"brightness": 0, "contrast": 1, "saturation": 1, "hue": 0, "quality": 100, "flip": 0}
    assert all((getattr(drawn({name: delta}), other) == off).all() for other, off in others.items() if other != name)


@pytest.mark.parametrize(
    ("name", "strength", "part"),
    [
        ("rotation", 30.0, lambda affine: np.rad2deg(affine.angle) / 30),
        ("scale", 0.3, lambda affine: (affine.factor - 1) / 0.3),
        ("shear", 20.0, lambda affine: np.rad2deg(np.arctan(affine.slant)) / 20),
    ],
)
def test_angles_and_sizes_are_uniform(name: str, strength: float, part: Callable[[Affine], np.ndarray]) -> None:
    affine = drawn({name: strength}, 4000).affine
    places = np.sort(part(affine))
    assert np.abs(places).max() <= 1.001
    assert np.abs(places - np.linspace(-1, 1, 4000)).max() / 2 < 1.63 / math.sqrt(4000)  # Kolmogorov, Smirnov, 1 %
    off = {"angle": 0, "factor": 1, "slant": 0, "down": 0, "right": 0}
    assert sorted(one for one, value in off.items() if (getattr(affine, one) != value).any()) == [
        {"rotation": "angle", "scale": "factor", "shear": "slant"}[name]
    ]


@pytest.mark.parametrize(("way", "side"), [("down", SIZE[0]), ("right", SIZE[1])])
def test_shifts_are_uniform_up_to_their_share_of_the_side(way: str, side: int) -> None:
    places = np.sort(getattr(drawn({"shift": 0.2}, 4000).affine, way)) / (0.2 * side)
    assert np.abs(places).max() <= 1.001
    assert np.abs(places - np.linspace(-1, 1, 4000)).max() / 2 < 1.63 / math.sqrt(4000)  # Kolmogorov, Smirnov, 1 %


@pytest.mark.parametrize(("delta", "least"), [(0.01, 99), (0.05, 95), (0.2, 80), (1.0, 0)])
def test_jpeg_qualities_are_uniform_up_to_100(delta: float, least: int) -> None:
    qualities = drawn({"jpeg_quality": delta}, 4000).quality
    values, counts = np.unique(qualities, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(least, 101))
    expected, free = 4000 / len(values), len(values) - 1
    assert ((counts - expected) ** 2 / expected).sum() < free + 3 * math.sqrt(2 * free)
