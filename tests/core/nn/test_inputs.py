from __future__ import annotations

import pytest

from mu2net_core.nn import InputSpec


def test_what_a_model_takes_is_a_value_that_says_how_much_memory_an_example_needs() -> None:
    image = InputSpec.image(8)
    assert image == InputSpec(kind="image", shape=(8, 8, 3), dtype="uint8")
    assert hash(image) == hash(InputSpec.image(8)) != hash(InputSpec.image(4))
    text, row = InputSpec(kind="text", shape=(16,), dtype="int32"), InputSpec(kind="table", shape=(5,), dtype="float32")
    assert [one.size_bytes for one in (image, text, row)] == [192, 64, 20]
    assert str(image) == "images of 8 x 8 pixels"
    assert str(text) == "text of 16 numbers"


@pytest.mark.parametrize("shape", [(), (0,), (4, -1)])
def test_an_example_of_no_numbers_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="numbers above 0"):
        InputSpec(kind="text", shape=shape, dtype="int32")


def test_a_type_of_numbers_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError):
        InputSpec(kind="text", shape=(1,), dtype="word")
