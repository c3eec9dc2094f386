from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mu2net_core.api.machine.runtime import split_at
from mu2net_core.api.models.demo import write_images
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.pictures import Picture
from mu2net_core.api.models.predict import Prediction, Predictor, Unreadable, predict
from mu2net_core.errors import DataError, InvalidInputError, NotFoundError
from mu2net_core.nn import InputSpec
from mu2net_core.repo import load_system


@pytest.fixture
def predictor(grown) -> Predictor:
    return Predictor(grown.open(), grown.context, "digits")


def grey(count: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (count, side, side), dtype=np.uint8)


def test_predictions_are_those_that_eval_counts(grown, predictor: Predictor) -> None:
    repo = grown.open()
    head = load_system(repo).heads["digits"]
    (examples,) = split_at(repo, grown.context, head.task, "test", InputSpec.image(8)).in_order(chunk=1000)
    found = predictor.predict(examples.inputs[..., :1])
    assert int((found == examples.labels).sum()) == evaluate(repo, grown.context, "digits").correct


def test_probabilities_are_of_every_class_and_of_each_image_alone(predictor: Predictor) -> None:
    images = grey(3)
    together = predictor.probabilities(images)
    assert together.shape == (3, len(predictor.classes)) == (3, 10)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(predictor.probabilities(images[1:2])[0], together[1])
    np.testing.assert_array_equal(predictor.probabilities(images[..., None]), together)


def test_files_are_described_by_their_likeliest_classes(grown, predictor: Predictor) -> None:
    paths = write_images("sklearn:digits", grown.folder / "images", 3)
    told = predict(grown.open(), grown.context, "digits", [Path("images") / path.name for path in paths], top=4)
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    chances = predictor.probabilities(pixels)
    for path, row, prediction in zip(paths, chances, told, strict=True):
        assert isinstance(prediction, Prediction)
        assert (prediction.name, prediction.path) == (f"images/{path.name}", path)
        assert prediction.label_index == row.argmax()
        assert prediction.label == predictor.classes[row.argmax()]
        assert prediction.probability == row.max()
        assert [chance for _, chance in prediction.top] == sorted(map(float, row), reverse=True)[:4]
        assert prediction.top[0] == (prediction.label, prediction.probability)


def test_files_of_many_bits_are_read_as_the_task_reads_them(grown, predictor: Predictor) -> None:
    values = grey(1)[0].astype(np.uint16) * 16
    Image.fromarray(values).save(grown.folder / "deep.png")
    task = replace(predictor.stored.task, options={"range": "0:4080"})
    predictor.stored = replace(predictor.stored, task=task)
    (told,) = predictor.predict_files([grown.folder / "deep.png"])
    assert told.probability == predictor.probabilities(grey(1)).max()


def test_what_pictures_lose_is_warned_of_once_with_how_many_there_are(grown) -> None:
    warnings: list[str] = []
    predictor = Predictor(grown.open(), replace(grown.context, warn=warnings.append), "digits")
    predictor.stored = replace(predictor.stored, task=replace(predictor.stored.task, options={"range": "0:4095"}))
    files = {name: grown.folder / name for name in ("cut.png", "dark.png", "pages.tif", "clear.png", "bytes.png")}
    Image.fromarray(np.full((8, 8), 60_000, np.uint16)).save(files["cut.png"])
    Image.fromarray(np.full((8, 8), 200, np.uint16)).save(files["dark.png"])
    page = Image.new("L", (8, 8), 90)
    page.save(files["pages.tif"], save_all=True, append_images=[page])
    Image.new("LA", (8, 8), (255, 0)).save(files["clear.png"])
    page.save(files["bytes.png"])
    assert len(predictor.predict_files([files["bytes.png"]])) == 1
    assert warnings == []
    missing = grown.folder / "missing.png"
    told = list(predictor._each(Picture(name=path.name, path=path) for path in (*files.values(), missing)))
    assert isinstance(told[-1], Unreadable)
    assert [one.remarks for one in told if isinstance(one, Prediction)] == [
        ("cut off",),
        ("all but black",),
        ("first of several",),
        ("transparent", "blank"),
        (),
    ]
    assert [warning.partition(":")[0] for warning in warnings] == [
        "1 of 5 images with transparent parts",
        "1 of 5 images is nothing but white then",
        "1 of 5 images in files of several (animations, pages)",
        "1 of 5 images with values beyond the range, which are cut off",
        "1 of 5 images is all but black, dark.png",
    ]


@pytest.mark.parametrize(
    ("pixels", "found"),
    [
        (np.zeros((9, 8), np.uint8), "8 x 9 pixels, grey"),
        (np.zeros((8, 8, 3), np.uint8), "8 x 8 pixels, colour"),
        (np.zeros((40, 30, 3), np.uint8), "30 x 40 pixels, colour"),
    ],
)
def test_an_image_of_another_size_or_mode_is_refused_unless_resized(
    grown, predictor: Predictor, pixels: np.ndarray, found: str
) -> None:
    file = grown.folder / "odd.png"
    Image.fromarray(pixels).save(file)
    with pytest.raises(
        DataError, match=rf"odd\.png: the task's images are 8 x 8 pixels, grey, this one is {found}"
    ) as c:
        predictor.predict_files([file])
    assert c.value.exit_code == 6
    assert "--resize" in (c.value.hint or "")
    (prediction,) = predictor.predict_files([file], resize=True)
    assert prediction.label in predictor.classes
    with pytest.raises(DataError, match="image 0: the task's images are"):
        predictor.predict(pixels[None])
    assert predictor.predict(pixels[None], resize=True).shape == (1,)


def test_resizing_leaves_images_of_the_right_size_alone(predictor: Predictor) -> None:
    images = grey(2)
    np.testing.assert_array_equal(predictor.probabilities(images, resize=True), predictor.probabilities(images))


def test_a_file_that_is_no_image_is_named(grown, predictor: Predictor) -> None:
    file = grown.folder / "notes.png"
    file.write_text("not pixels")
    with pytest.raises(DataError, match=r"notes\.png"):
        predictor.predict_files([file])


def test_a_file_that_is_not_there_is_named(grown, predictor: Predictor) -> None:
    with pytest.raises(NotFoundError, match=r"missing\.png"):
        predictor.predict_files([grown.folder / "missing.png"])


def test_what_cannot_be_read_keeps_nothing_else_from_being_predicted(grown, predictor: Predictor) -> None:
    good = write_images("sklearn:digits", grown.folder / "images", 2)
    (grown.folder / "images" / "00a.png").write_text("not pixels")
    (grown.folder / "empty").mkdir()
    asked = ["images", "none.png", "empty", good[1].read_bytes(), b"", str(good[0])]
    told = list(predict(grown.open(), grown.context, "digits", asked))
    names = ["images/00.png", "images/00a.png", "images/01.png", "none.png", "empty", "-", "-", str(good[0])]
    assert [one.name for one in told] == names
    assert [isinstance(one, Unreadable) for one in told] == [False, True, False, True, True, False, True, False]
    errors = [type(one.error) for one in told if isinstance(one, Unreadable)]
    assert errors == [DataError, NotFoundError, DataError, DataError]
    first, second = predictor.predict_files(good)
    same = [told[0], told[2], told[5], told[7]]
    assert [one.probability for one in same if isinstance(one, Prediction)] == [
        chances.probability for chances in (first, second, second, first)
    ]


def test_images_are_read_batch_by_batch_as_results_are_wanted(grown, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = write_images("sklearn:digits", grown.folder / "images", 1)
    monkeypatch.setattr("mu2net_core.engine.programs.EVALUATION_BATCH", 4)
    asked = iter([path] * 9)
    told = predict(grown.open(), grown.context, "digits", asked)
    assert len(list(asked)) == 9  # none was taken yet
    asked = iter([path] * 9)
    told = predict(grown.open(), grown.context, "digits", asked)
    assert next(told).path == path
    assert len(list(asked)) == 5
    assert len(list(told)) == 3


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (np.zeros((1, 8, 8), np.float32), r"uint8 \[N, H, W\].*got float32 \[1, 8, 8\]"),
        (np.zeros((8, 8), np.uint8), r"got uint8 \[8, 8\]"),
        (np.zeros((1, 1, 8, 8, 1), np.uint8), r"got uint8 \[1, 1, 8, 8, 1\]"),
        (np.zeros((0, 8, 8), np.uint8), "at least one image"),
        ([], "got float64"),
    ],
    ids=["floats", "one image", "too deep", "none", "empty list"],
)
def test_arrays_that_are_no_images_are_refused(predictor: Predictor, images, complaint: str) -> None:
    with pytest.raises(InvalidInputError, match=complaint):
        predictor.predict(images)


def test_a_task_without_a_model_predicts_nothing(planted) -> None:
    with pytest.raises(NotFoundError, match="has no model yet"):
        Predictor(planted.open(), planted.context, "digits")
