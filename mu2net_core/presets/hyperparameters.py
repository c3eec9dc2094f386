"""The hyperparameters that children inherit and mutations move: what each is, and which values make sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mu2net_core.objects import PREPARATION

__all__ = ["HYPERPARAMETERS", "SIZES", "Meaning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a hyperparameter is.

    Attributes:
        text: one line for people.
        expected: which values make sense, in words.
        is_sensible: whether a number is one of them; or a word, where it is no number.
        kinds: of values that it is asked of.
    """

    text: str
    expected: str
    is_sensible: Callable[[Any], bool]
    kinds: tuple[type, ...] = (int, float)

    def allows(self, value: object) -> bool:
        """Returns whether a value makes sense, as far as it is of the right kind; what is not is told elsewhere."""
        return not isinstance(value, self.kinds) or self.is_sensible(value)


def _between(text: str, least: float, greatest: float) -> Meaning:
    is_sensible = lambda number: least <= number <= greatest  # noqa: E731
    return Meaning(text=text, expected=f"numbers from {least} to {greatest}", is_sensible=is_sensible)


def _switch(text: str) -> Meaning:
    return Meaning(text=text, expected="true or false", is_sensible=lambda number: number in {0, 1})


def _one_of(text: str, choices: tuple[str, ...]) -> Meaning:
    return Meaning(text=text, expected=" or ".join(choices), is_sensible=choices.__contains__, kinds=(str,))


def _below_1(text: str) -> Meaning:
    expected = "numbers from 0 up to, but not, 1"
    return Meaning(text=text, expected=expected, is_sensible=lambda number: 0 <= number < 1)


def _from(text: str, least: int) -> Meaning:
    expected = f"whole numbers, {least} or more"
    return Meaning(text=text, expected=expected, is_sensible=lambda number: least <= number <= 2**31)


_PREPARED = {
    "crop_area_min": "the least share of an image that a random crop keeps; 1 crops nothing",
    "crop_aspect_min": "the least ratio of a random crop's sides; 1 keeps the shape",
    "shift": "by how much of their side training images may move, up to twice as far within an empty margin",
    "rotation": "by how many degrees training images may turn",
    "scale": "by how much the size of what training images show may change",
    "shear": "by how many degrees training images may be slanted",
    "brightness": "by how much the brightness of training images may change",
    "contrast": "by how much the contrast of training images may change",
    "saturation": "by how much the saturation of training images may change",
    "hue": "by how much the hue of training images may change",
    "jpeg_quality": "by how much training images may lose to JPEG compression",
}

HYPERPARAMETERS: Mapping[str, Meaning] = {
    "mu": _between("the probability of each possible mutation", 0, 1),
    "copy_all": _between("how often a child copies all layers at once, and not each by a chance of its own", 0, 1),
    "optimizer": _one_of("what trains a model: SGD with momentum, or AdamW", ("adamw", "sgd")),
    "learning_rate": Meaning(
        text="the step size of the optimizer at its greatest",
        expected="numbers above 0",
        is_sensible=lambda number: number > 0,
    ),
    "warmup_ratio": _between("the share of training in which the learning rate grows", 0, 1),
    "momentum": _below_1("the momentum of SGD; of AdamW the first beta"),
    "nesterov": _switch("whether the optimizer uses Nesterov's momentum"),
    "beta2": _below_1("the second beta of AdamW: how long it remembers the size of gradients"),
    "weight_decay": _between("what a step takes off a weight, as a share of it, per learning rate", 0, 10),
    "label_smoothing": _between("the share of a label that is spread evenly over all classes", 0, 1),
    "flip_left_right": _switch("whether training images are mirrored at random"),
    "cell_dropout": _below_1("the share of the cells of training rows that are lost at random"),
    "num_layers": _from("how many blocks a model has, of a ConvNet those of its second stage", 0),
    "num_residual_blocks": _from("how many residual blocks a ConvNet's first stage has", 0),
    "image_size": _from("the side, in pixels, that images are resized to; a multiple of architecture.patch", 1),
    "text_length": _from("how many bytes or tokens of a text are read; of bytes a multiple of 4", 1),
    "adapter_dim": _from("the width of a new adapter", 1),
    **{name: _between(text, *PREPARATION[name][1:]) for name, text in _PREPARED.items()},
}
"""By name."""

SIZES: Mapping[str, str] = {
    "image": "the side, in pixels, of the images that a root is made for",
    "patch": "the side, in pixels, of a patch: how far apart a ConvNet's first tokens are",
    "stem": "channels between the two convolutions that a ConvNet begins with",
    "conv_width": "numbers per token of a ConvNet's first stage",
    "rows": "rows of the table in which byte transformers look words and their pieces up",
    "row_width": "numbers in a row of that table",
    "vocabulary": "words that an encoder of texts knows; a published root brings its own number",
    "positions": "tokens of a text, at most",
    "columns": "columns of a table, at most",
    "values": "values that are told apart in a table, at most, in each column one unknown and one missing",
    "width": "numbers per token",
    "heads": "attention heads of a block",
    "mlp": "hidden width of a block's MLP",
}
"""The sizes of all models (``architecture.*``), which are chosen once."""
