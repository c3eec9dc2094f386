"""The kinds of inputs that are shipped keep the contract of all; and the suite notices who does not."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from mu2net_core.data import Change, Modality, Stored, Survey, modality_of
from mu2net_core.errors import DataError, PluginError
from mu2net_core.objects import Column, Table
from mu2net_core.testing.conformance.modalities import ModalityCase, ModalityTests

RNG = np.random.default_rng(1)
PICTURES = [Stored(name=str(n), input=RNG.integers(0, 256, (9, 7), np.uint8), label=0) for n in range(3)]
NUMBERS = [Stored(name=str(n), input=RNG.random(5, np.float32), label=0) for n in range(3)]
CALLS = count()


class Numbers(Modality):
    """Arrays of one shape, with noise on them; as ``Modality`` has them but for that."""

    kind = "numbers"
    preparation = frozenset({"noise", "hum"})

    def change(self, hyperparameters):
        noise = hyperparameters.get("noise", 0.0) + hyperparameters.get("hum", 0.0)
        return None if not noise else Change(apply=add_noise, settings=np.float32(noise))


def add_noise(inputs, noise, words):
    import jax

    return inputs + noise * jax.random.normal(jax.random.wrap_key_data(words, impl="threefry2x32"), inputs.shape)


IMAGES = ModalityCase(
    modality=modality_of("image"), examples=PICTURES, shape=(6, 4, 3), strong={"brightness": 0.5, "hue": 0.1}
)
ARRAYS = ModalityCase(modality=Numbers(), examples=NUMBERS, shape=(5,), strong={"noise": 0.5, "hum": 0.5})


class TestImages(ModalityTests):
    @pytest.fixture
    def case(self) -> ModalityCase:
        return IMAGES


class TestTexts(ModalityTests):
    @pytest.fixture
    def case(self) -> ModalityCase:
        texts = [b"a text", "ein größerer".encode(), b"", b"\xff no UTF-8"]
        examples = [Stored(name=str(n), input=text, label=0) for n, text in enumerate(texts)]
        return ModalityCase(modality=modality_of("text"), examples=examples, shape=(16,))


class TestTables(ModalityTests):
    @pytest.fixture
    def case(self) -> ModalityCase:
        rows = [{"age": str(age), "colour": "red" if age % 2 else "blue"} for age in range(20, 40)]
        examples = [Stored(name=str(n), input=json.dumps(row).encode(), label=n % 2) for n, row in enumerate(rows)]
        given = Table(
            columns=(Column(name="age", values=None, knots=(20, 30, 40)), Column(name="colour", values=("blue", "red")))
        )
        return ModalityCase(
            modality=modality_of("table"), examples=examples, given=given, shape=(3, 4), strong={"cell_dropout": 0.5}
        )


class TestArrays(ModalityTests):
    @pytest.fixture
    def case(self) -> ModalityCase:
        return ARRAYS


class NameHashed(Numbers):
    def hashed(self, stored):
        return (), stored.name.encode()


class Doubles(Numbers):
    def reader(self, given, shape, options):
        read = super().reader(given, shape, options)
        return lambda stored: read(stored).astype(np.float64)


class Forgetful(Numbers):
    def own_shape(self, given):
        return (5,)

    def refitted(self, example, shape):
        return 0 * example


class OtherKind(Numbers):
    def survey(self, options) -> Survey:
        return modality_of("image").survey({})


class AlwaysChanged(Numbers):
    def change(self, hyperparameters):
        return Change(apply=add_noise, settings=np.float32(1))


class OwnClock(Numbers):
    def change(self, hyperparameters):
        if not hyperparameters:
            return None
        turn = next(CALLS)
        return Change(apply=lambda inputs, settings, words: inputs + turn, settings=np.float32(1))


class ShapedByItsSettings(Numbers):
    def change(self, hyperparameters):
        noise = [np.float32(value) for value in hyperparameters.values()]
        return Change(apply=add_first_noise, settings=np.array(noise)) if noise else None


def add_first_noise(inputs, noises, words):
    return add_noise(inputs, noises[0], words)


WRONG = {
    "the name is hashed": (NameHashed(), "told_apart"),
    "another type": (Doubles(), "gets_the_shape"),
    "nothing is left": (Forgetful(), "become_what_is_read_in_another"),
    "another kind": (OtherKind(), "says_what_goes_in"),
    "never still": (AlwaysChanged(), "nothing_is_changed"),
    "no key": (OwnClock(), "follows_from_its_key"),
    "a program each": (OwnClock(), "share_one_program"),
    "a program for each number of settings": (ShapedByItsSettings(), "share_one_program"),
}


@pytest.mark.parametrize(("modality", "named"), WRONG.values(), ids=WRONG.keys())
def test_the_suite_finds_a_wrong_modality(modality: Modality, named: str) -> None:
    (check,) = [getattr(ModalityTests(), name) for name in dir(ModalityTests) if named in name]
    examples = NUMBERS if modality.kind != "image" else PICTURES
    if isinstance(modality, OtherKind):
        examples = PICTURES
    with pytest.raises(AssertionError):
        check(replace(ARRAYS, modality=modality, examples=examples))


def test_the_wrong_modalities_break_every_promise_of_the_suite() -> None:
    promises = [name for name in dir(ModalityTests) if name.startswith("test_")]
    assert all(any(named in name for _, named in WRONG.values()) for name in promises)


def test_arrays_of_several_shapes_are_none_that_a_model_could_take() -> None:
    survey, shapes = Numbers().survey({}), ((5,), (5,), (6,))
    for number, shape in enumerate(shapes):
        survey.look(Stored(name=f"n{number}", input=np.zeros(shape, np.float32), label=0))
    with pytest.raises(DataError, match=r"of some:data to have one shape, found \[5\] \(n0\) and \[6\] \(n2\)"):
        survey.check("some:data")
    with pytest.raises(DataError, match=r"n0: expected the shape \[5\], found \[6\]"):
        Numbers().reader(None, (5,), {})(Stored(name="n0", input=np.zeros(6, np.float32), label=0))


def test_a_kind_that_nobody_works_with_is_named() -> None:
    with pytest.raises(PluginError, match="No kind of input 'sound' is installed; there are image"):
        modality_of("sound")
