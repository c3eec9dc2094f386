"""Augmentation against independent references: Pillow, SciPy, colorsys, plain loops and formulas."""

from __future__ import annotations

import colorsys
import io
import math
import os
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, features
from scipy import ndimage

from mu2net_core.data import describe_task, load_split
from mu2net_core.data.augmentation import Augmentation, Draw, augment, draw, is_identity
from mu2net_core.data.augmentation.affine import Affine
from mu2net_core.data.augmentation.jpeg import recompress
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Hyperparameter

ROOT = Path(__file__).parents[3]
NUM, SIZE = 300, (24, 40)  # more images than are changed at once, sides that are no multiples of a JPEG's blocks
CHECKED = [*range(24), *range(NUM - 16, NUM)]  # of the first batch and of the rest
CROPS = ("crop_area_min", "crop_aspect_min")
MOVES: dict[str, Hyperparameter] = {"shift": 0.2, "rotation": 30.0, "scale": 0.3, "shear": 20.0}
DELTAS = ("brightness", "contrast", "saturation", "hue", "jpeg_quality")
ALL_OFF: dict[str, Hyperparameter] = (
    dict.fromkeys(CROPS, 1.0) | {"flip_left_right": False} | dict.fromkeys((*MOVES, *DELTAS), 0)
)
ALL_ON: dict[str, Hyperparameter] = (
    dict.fromkeys(CROPS, 0.75) | {"flip_left_right": True} | MOVES | dict.fromkeys(DELTAS, 0.1)
)
TRACED: list[tuple[int, ...]] = []


def counted(images: jax.Array, settings: Augmentation, key: jax.Array) -> jax.Array:
    TRACED.append(images.shape)
    return augment(images, settings, key)


AUGMENT = jax.jit(counted)
DRAW = jax.jit(draw, static_argnums=2)


def smooth_images(num: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (num, 5, 7, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(c).resize((size[1], size[0]), Image.Resampling.BICUBIC)) for c in coarse]
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Returns smooth ones, every third noise, every fifth grey."""
    made = smooth_images(NUM, SIZE)
    made[::3] = np.random.default_rng(1).integers(0, 256, made[::3].shape, dtype=np.uint8)
    made[::5] = made[::5, :, :, :1]
    return made


def changed(images: np.ndarray, hyperparameters: dict[str, Hyperparameter], seed: int = 0) -> np.ndarray:
    made = np.asarray(AUGMENT(images, Augmentation.of(hyperparameters), jax.random.key(seed)))
    assert made.dtype == np.uint8
    return made


def without_room(draws: Draw) -> Affine:
    """Returns where images go that have no empty margins."""
    down, right = np.round(draws.affine.down), np.round(draws.affine.right)
    return draws.affine.replace(down=down, right=right)  # type: ignore[no-any-return,attr-defined]


def shifted(image: np.ndarray, down: float, right: float) -> np.ndarray:
    """Returns ``image`` moved by whole pixels, its edge repeated."""
    rows = np.clip(np.arange(SIZE[0]) - round(down), 0, SIZE[0] - 1)
    columns = np.clip(np.arange(SIZE[1]) - round(right), 0, SIZE[1] - 1)
    return image[rows][:, columns]  # type: ignore[no-any-return]


def drawn(
    hyperparameters: dict[str, Hyperparameter], num: int = NUM, size: tuple[int, int] = SIZE, seed: int = 0
) -> Draw:
    made = DRAW(Augmentation.of(hyperparameters), jax.random.key(seed), num, size)
    return jax.tree.map(np.asarray, made)  # type: ignore[no-any-return]


def levels(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 1) * 255


def assert_near(made: np.ndarray, reference: Callable[[int], np.ndarray], *, within: float) -> None:
    for index in CHECKED:
        assert np.abs(made[index] - reference(index).astype(float)).max() <= within, index


@pytest.mark.parametrize("hyperparameters", [{}, ALL_OFF, {"learning_rate": 0.1, "hue": 0.0}])
def test_with_everything_off_images_stay_as_they_are(
    images: np.ndarray, hyperparameters: dict[str, Hyperparameter]
) -> None:
    assert is_identity(hyperparameters)
    np.testing.assert_array_equal(changed(images, hyperparameters), images)


@pytest.mark.parametrize("name", ALL_ON)
def test_each_setting_alone_changes_images(images: np.ndarray, name: str) -> None:
    hyperparameters = {**ALL_OFF, name: ALL_ON[name]}
    assert not is_identity(hyperparameters)
    if name != "crop_aspect_min":  # alone, that crops only what is longer than 2:1, tested below
        assert (changed(images, hyperparameters) != images).mean() > 0.05


def test_all_settings_share_one_program(images: np.ndarray) -> None:
    assert (changed(images, ALL_ON) != changed(images, {**ALL_ON, "jpeg_quality": 0, "crop_area_min": 0.95})).any()
    assert TRACED.count(images.shape) == 1


def test_the_key_decides(images: np.ndarray) -> None:
    first = changed(images, ALL_ON)
    np.testing.assert_array_equal(first, changed(images, ALL_ON))
    assert (first != changed(images, ALL_ON, seed=1)).mean() > 0.5


def test_an_image_is_changed_whatever_the_others_are(images: np.ndarray) -> None:
    others = images[::-1].copy()
    others[7] = images[7]
    np.testing.assert_array_equal(changed(others, ALL_ON)[7], changed(images, ALL_ON)[7])


def test_equal_images_become_different(images: np.ndarray) -> None:
    made = changed(np.broadcast_to(images[1], images.shape), ALL_ON)
    assert len({image.tobytes() for image in made}) == NUM


def test_grey_images_stay_grey(images: np.ndarray) -> None:
    made = changed(images, ALL_ON)[::5]
    np.testing.assert_array_equal(made, np.broadcast_to(made[..., :1], made.shape))


def test_crops_are_those_of_pillow_and_mirrored_afterwards(images: np.ndarray) -> None:
    hyperparameters = {"crop_area_min": 0.05, "crop_aspect_min": 0.5, "flip_left_right": True}
    draws = drawn(hyperparameters)
    box = draws.box

    def reference(index: int) -> np.ndarray:
        top, left = int(box.top[index]), int(box.left[index])
        corners = (left, top, left + int(box.width[index]), top + int(box.height[index]))
        image = Image.fromarray(images[index]).crop(corners).resize(SIZE[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image)[:, ::-1] if draws.flip[index] else np.asarray(image)

    assert_near(changed(images, hyperparameters), reference, within=1)  # Pillow also rounds between the two directions


def test_half_of_the_images_are_mirrored(images: np.ndarray) -> None:
    made = changed(images, {"flip_left_right": True})
    flip = drawn({"flip_left_right": True}).flip
    np.testing.assert_array_equal(made, np.where(flip[:, None, None, None], images[:, :, ::-1], images))
    assert abs(drawn({"flip_left_right": True}, 4000).flip.mean() - 0.5) < 3 * math.sqrt(0.25 / 4000)


@pytest.mark.parametrize("hyperparameters", [{name: value} for name, value in MOVES.items()] + [MOVES], ids=str)
def test_images_are_sheared_scaled_turned_and_shifted_as_by_scipy(
    images: np.ndarray, hyperparameters: dict[str, Hyperparameter]
) -> None:
    affine = without_room(drawn(hyperparameters))

    def reference(index: int) -> np.ndarray:
        cos, sin = math.cos(affine.angle[index]), math.sin(affine.angle[index])
        to = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1, 0], [affine.slant[index], 1]]) * affine.factor[index]
        middle = (np.array(SIZE) - 1) / 2
        back = np.linalg.inv(to)
        offset = middle - back @ (middle + np.array([affine.down[index], affine.right[index]]))
        planes = np.moveaxis(images[index].astype(float), -1, 0)
        made = [ndimage.affine_transform(plane, back, offset, order=1, mode="nearest") for plane in planes]
        return np.stack(made, axis=-1)

    assert_near(changed(images, hyperparameters), reference, within=0.51)


def test_a_shift_alone_is_of_whole_pixels_and_repeats_the_edge(images: np.ndarray) -> None:
    made, affine = changed(images, {"shift": 0.2}), without_room(drawn({"shift": 0.2}))
    for index in range(NUM):
        np.testing.assert_array_equal(made[index], shifted(images[index], affine.down[index], affine.right[index]))


@pytest.mark.parametrize("ground", [(0, 0, 0), (255, 255, 255), (30, 90, 200)])
@pytest.mark.parametrize(
    ("top", "bottom", "left", "right", "factor"),
    [
        (5, 5, 8, 8, 2),
        (4, 6, 20, 10, 5 / 3),
        (9, 3, 9, 9, 1.25),
        (9, 9, 30, 6, 1.5),
        (9, 9, 0, 30, 1),
        (1, 9, 9, 9, 1),
    ],
)
def test_what_an_image_shows_goes_up_to_twice_as_far_within_an_empty_margin_all_around(
    ground: tuple[int, int, int], top: int, bottom: int, left: int, right: int, factor: float
) -> None:
    noise = np.random.default_rng(0).integers(-20, 20, (NUM, *SIZE, 1))
    images = np.clip(np.array(ground) + noise, 0, 255).astype(np.uint8)
    images[:, top : SIZE[0] - bottom, left : SIZE[1] - right] = 128
    made, affine = changed(images, {"shift": 0.1}), drawn({"shift": 0.1}).affine
    for index in range(NUM):
        down, right = affine.down[index] * factor, affine.right[index] * factor
        np.testing.assert_array_equal(made[index], shifted(images[index], down, right))


@pytest.mark.parametrize(("by", "factor"), [(40, 2), (41, 1)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_margin_is_empty_where_no_channel_differs_by_more_than_40_levels(by: int, factor: int, channel: int) -> None:
    images = np.full((NUM, *SIZE, 3), 100, np.uint8)
    images[:, 8:16, 12:28] = 255
    images[:, 0, 20, channel] += by
    made, affine = changed(images, {"shift": 0.1}), drawn({"shift": 0.1}).affine
    for index in range(NUM):
        down, right = affine.down[index] * factor, affine.right[index] * factor
        np.testing.assert_array_equal(made[index], shifted(images[index], down, right))


def test_brightness_and_contrast_are_clipped_only_at_the_end(images: np.ndarray) -> None:
    hyperparameters = {"brightness": 0.2, "contrast": 0.5}
    draws = drawn(hyperparameters)

    def reference(index: int) -> np.ndarray:
        image = images[index] / 255 + float(draws.brightness[index])
        mean = image.mean(axis=(0, 1))
        return levels((image - mean) * float(draws.contrast[index]) + mean)

    assert_near(changed(images, hyperparameters), reference, within=0.51)


def by_pixel(image: np.ndarray, change: Callable[[float, float, float], tuple[float, float, float]]) -> np.ndarray:
    """Returns ``image``, in [0, 1], with each pixel's hue, saturation and value changed."""
    flat = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in image.reshape(-1, 3).tolist()]
    return np.array(flat).reshape(image.shape)


@pytest.mark.parametrize("hyperparameters", [{"saturation": 0.9}, {"hue": 0.5}, {"saturation": 0.2, "hue": 0.1}])
def test_saturation_and_hue_are_those_of_colorsys(
    images: np.ndarray, hyperparameters: dict[str, Hyperparameter]
) -> None:
    draws = drawn(hyperparameters)

    def reference(index: int) -> np.ndarray:
        factor, turn = float(draws.saturation[index]), float(draws.hue[index])
        return levels(by_pixel(images[index] / 255, lambda h, s, v: ((h + turn) % 1, min(1, s * factor), v)))

    assert_near(changed(images, hyperparameters), reference, within=0.51)


def test_steps_follow_one_another_in_the_documented_order(images: np.ndarray) -> None:
    calm = (images // 2 + 64).astype(np.uint8)  # nothing to clip, so that colorsys can go on
    strengths = {"shift": 0.2, "brightness": 0.1, "contrast": 0.2, "saturation": 0.2, "hue": 0.1}
    hyperparameters: dict[str, Hyperparameter] = {"flip_left_right": True, **strengths}
    draws = drawn(hyperparameters)
    affine = without_room(draws)

    def reference(index: int) -> np.ndarray:
        image = calm[index][:, ::-1] if draws.flip[index] else calm[index]
        image = shifted(image, affine.down[index], affine.right[index]) / 255 + float(draws.brightness[index])
        mean = image.mean(axis=(0, 1))
        image = (image - mean) * float(draws.contrast[index]) + mean
        factor, turn = float(draws.saturation[index]), float(draws.hue[index])
        return levels(by_pixel(image, lambda h, s, v: ((h + turn) % 1, min(1, s * factor), v)))

    assert_near(changed(calm, hyperparameters), reference, within=0.51)


def test_hue_keeps_a_pixel_that_went_below_black(images: np.ndarray) -> None:
    """As in TensorFlow, hue leaves the saturation alone: a dark pixel comes out as if it had been turned first."""
    pixel = np.full(images.shape, (3, 30, 200), np.uint8)
    hyperparameters = {"brightness": 0.1, "hue": 0.1}
    draws = drawn(hyperparameters)

    def reference(index: int) -> np.ndarray:
        turned = by_pixel(pixel[index][:1, :1] / 255, lambda h, s, v: ((h + float(draws.hue[index])) % 1, s, v))
        return levels(np.broadcast_to(turned + float(draws.brightness[index]), pixel[index].shape))

    assert_near(changed(pixel, hyperparameters), reference, within=0.51)


def through_pillow(image: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def assert_like_pillow(made: np.ndarray, images: np.ndarray, qualities: np.ndarray) -> None:
    if not features.check_feature("libjpeg_turbo"):
        pytest.skip("this Pillow has another JPEG library")
    pairs = zip(images, qualities.tolist(), strict=True)
    np.testing.assert_array_equal(made, np.stack([through_pillow(*pair) for pair in pairs]))


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Returns real images: 300 Bangla digits."""
    path = (ROOT / os.environ.get("MU2NET_TEST_DATA", "../shared/data") / "tfds").resolve()
    if not (path / "cmaterdb").is_dir():
        pytest.skip(f"no prepared data in {path}; point MU2NET_TEST_DATA to the test data")
    task = describe_task("cmaterdb/bangla", data_dir=str(path)).task
    return load_split(task, "validation", shape=(*SIZE, 3), data_dir=str(path)).inputs[:NUM]


def test_jpeg_is_the_real_one_for_real_images(digits: np.ndarray) -> None:
    qualities = drawn({"jpeg_quality": 0.2}).quality
    assert_like_pillow(changed(digits, {"jpeg_quality": 0.2}), digits, qualities)


def test_jpeg_is_the_real_one_for_colours_and_noise(images: np.ndarray) -> None:
    qualities = drawn({"jpeg_quality": 0.2}).quality
    assert_like_pillow(changed(images, {"jpeg_quality": 0.2}), images, qualities)


def test_jpeg_comes_last(images: np.ndarray) -> None:
    before = changed(images, {**ALL_ON, "jpeg_quality": 0})
    assert_like_pillow(changed(images, ALL_ON), before, drawn(ALL_ON).quality)


@pytest.mark.parametrize("size", [(33, 46), (8, 8)])
def test_jpeg_is_the_real_one_at_every_quality_and_odd_sizes(size: tuple[int, int]) -> None:
    images, qualities = smooth_images(100, size), np.arange(1, 101, dtype=np.int32)
    made = np.asarray(jax.jit(jax.vmap(recompress))(images.astype(np.int32), qualities))
    assert_like_pillow(made, images, qualities)


def test_what_is_drawn_for_an_image_is_drawn_independently() -> None:
    draws = drawn(ALL_ON, 4000, (64, 64))
    columns = [v.astype(float) for v in jax.tree.leaves(draws)]
    correlations = np.corrcoef(columns)
    crop = slice(0, 4)  # place and sides of a crop belong together
    correlations[crop, crop] = 0
    np.fill_diagonal(correlations, 0)
    assert np.abs(correlations).max() < 3.5 / math.sqrt(4000)
    shifted = [np.corrcoef(column[1:], column[:-1])[0, 1] for column in columns]
    assert np.abs(shifted).max() < 3.5 / math.sqrt(4000)


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    num = 25_600  # 105 MB as float32 planes
    shape = jax.ShapeDtypeStruct((num, 32, 32, 3), jnp.uint8)
    program = jax.jit(augment).lower(shape, Augmentation.of(ALL_ON), jax.random.key(0)).compile()
    assert program.memory_analysis().temp_size_in_bytes < 40 * 2**20


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("crop_area_min", 0, "from 0.01 to 1, got 0"),
        ("crop_area_min", 1.5, "from 0.01 to 1, got 1.5"),
        ("crop_aspect_min", 2.0, "from 0.01 to 1, got 2.0"),
        ("brightness", -0.1, "from 0 to 1, got -0.1"),
        ("hue", 0.6, "from 0 to 0.5, got 0.6"),
        ("shift", 0.6, "from 0 to 0.5, got 0.6"),
        ("rotation", 181, "from 0 to 180, got 181"),
        ("scale", 1.0, "from 0 to 0.9, got 1.0"),
        ("shear", -1.0, "from 0 to 60, got -1.0"),
        ("contrast", math.nan, "from 0 to 1, got nan"),
        ("jpeg_quality", "low", "from 0 to 1, got 'low'"),
    ],
)
def test_a_value_that_cannot_be_is_named(name: str, value: Hyperparameter, expected: str) -> None:
    for read in (Augmentation.of, is_identity):
        with pytest.raises(InvalidInputError, match=f"Hyperparameter {name}: expected a number {expected}"):
            read({name: value})
