from __future__ import annotations

import numpy as np
import pytest

from mu2net_core.data import checked_label, describe_task, load_split, modality_of
from mu2net_core.data.load import Fingerprint
from mu2net_core.data.source import Stored
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import Classes, Image, Task


@pytest.fixture(scope="module")
def digits() -> Task:
    return describe_task("sklearn:digits").task


def test_digits_have_pinned_splits(digits: Task) -> None:
    assert (digits.name, digits.source) == ("digits", "sklearn:digits")
    assert digits.output.labels == tuple("0123456789")
    assert digits.input == Image(height=8, width=8, channels=1)
    assert {name: (split.spec, split.num_examples) for name, split in digits.splits.items()} == {
        "train": ("all[40%:]", 1078),
        "validation": ("all[20%:40%]", 360),
        "test": ("all[:20%]", 359),
    }


def test_the_fingerprint_is_the_same_everywhere(digits: Task) -> None:
    assert digits.splits["test"].fingerprint == "b9fa815710d5b8fd2e31cf78737dbec9fcfb6410e15e8b6968420d9633950b5e"


def test_related_tasks_have_the_same_images_and_other_labels(digits: Task) -> None:
    test = load_split(digits, "test", shape=(8, 8, 3))
    for name, relabel in [("parity", lambda d: d % 2), ("five-or-more", lambda d: d >= 5)]:
        task = describe_task(f"sklearn:digits/{name}").task
        other = load_split(task, "test", shape=(8, 8, 3))
        assert task.output.size == 2
        assert np.array_equal(other.inputs, test.inputs)
        assert np.array_equal(other.labels, relabel(test.labels))


def test_every_split_has_every_digit_and_the_full_range_of_grey(digits: Task) -> None:
    for split in digits.splits:
        examples = load_split(digits, split, shape=(32, 32, 3))
        assert examples.inputs.shape[1:] == (32, 32, 3)
        assert np.bincount(examples.labels, minlength=10).min() > 20
        assert (examples.inputs.min(), examples.inputs.max()) == (0, 255)


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(NotFoundError, match="Unknown data set sklearn:digit;") as error:
        describe_task("sklearn:digit")
    assert error.value.hint == "Did you mean sklearn:digits?"


def test_a_fingerprint_tells_label_shape_and_bytes_apart() -> None:
    pixels = np.arange(6, dtype=np.uint8)
    examples = [
        Stored(name="a", input=pixels.reshape(2, 3), label=0),
        Stored(name="a", input=pixels.reshape(3, 2), label=0),
        Stored(name="a", input=pixels.reshape(2, 3), label=1),
        Stored(name="a", input=pixels.tobytes(), label=0),
        Stored(name="a", input=(pixels + 1).reshape(2, 3), label=0),
    ]
    digests = set()
    for example in examples:
        fingerprint = Fingerprint(modality_of("image"))
        fingerprint.add(example, checked_label(example, Classes(names=("a", "b"))))
        digests.add(fingerprint.hexdigest())
    assert len(digests) == len(examples)
