"""A task of texts from a file of rows: added, evolved, measured, asked, and the same in a clone."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.machine.brought import brought_options
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor, predict
from mu2net_core.api.setup.init import init
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.push import push
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import CorruptObjectError, DataError, InvalidInputError
from mu2net_core.nn import family_named
from mu2net_core.repo import open_repository
from mu2net_core.testing.building.compiling import quick_compiler
from mu2net_core.testing.building.published import seeded_tensors, write_model
from mu2net_core.testing.building.tiny import tiny_presets
from mu2net_core.tokenizing import tokenizer_of

VECTORS = Path(__file__).parents[1] / "nn" / "published_text.json"
ONE = EvolveOptions(generations=1, children=1, validations=1, seed=1)
ASKED = ["a lovely film", "what a dull mess", "", "word " * 40]


def rows(count: int) -> list[dict[str, str]]:
    """Returns short reviews; what they say is one word of several."""
    words = {"good": ("lovely", "fine", "great"), "bad": ("dull", "awful", "poor")}
    rng = np.random.default_rng(count)
    found = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        before, after = number, int(rng.integers(0, 50))
        found.append({"text": f"film {count + before} is {rng.choice(words[label])}, {after}", "label": label})
    return found


@pytest.fixture
def here(world):
    """Returns a world with a folder of reviews, in files called as splits."""
    found = world()
    (found.folder / "data").mkdir()
    for split, count in (("train", 120), ("test", 40)):
        lines = "\n".join(map(json.dumps, rows(count)))
        (found.folder / "data" / f"{split}.jsonl").write_text(lines)
    init(Path("repo"), found.context)
    with tiny_presets(), quick_compiler():
        yield found


def test_texts_are_learned_measured_and_asked_and_a_clone_says_the_same_to_the_last_bit(here) -> None:
    repo, told = open_repository(here.folder / "repo"), list[str]()
    context = replace(here.context, warn=told.append)
    head = add_task(repo, context, f"jsonl:{here.folder / 'data'}", TaskOptions(name="reviews"))
    assert (head.task.input.kind, head.task.preset, head.task.output.labels) == ("text", "text-128", ("bad", "good"))
    assert told == []
    evolve(repo, here.context, ["reviews"], ONE)
    measured = evaluate(repo, here.context, "reviews", wrong=True)
    assert measured.accuracy is not None
    assert all(one.name.startswith("test.jsonl") for one in measured.wrong or ())

    remote.add(repo, here.context, "origin", "shared")
    push(repo, here.context)
    clone("shared", "other", here.context)
    other = open_repository(here.folder / "other")
    chances = [Predictor(one, here.context, "reviews").probabilities(ASKED) for one in (repo, other)]
    np.testing.assert_array_equal(*chances)
    np.testing.assert_allclose(chances[0].sum(axis=-1), 1, rtol=1e-5)

    told.clear()
    found = list(predict(other, context, "reviews", [*ASKED[:2], "\n".join(ASKED[2:]).encode()], top=2))
    assert [one.name for one in found] == ASKED
    assert [one.remarks for one in found] == [(), (), ("empty",), ("cut off",)]
    assert [one.top[0] for one in found] == [(one.label, one.probability) for one in found]
    assert told == [
        "1 of 4 texts is longer than the model reads: only the beginning counted",
        "1 of 4 texts is empty",
    ]
    with pytest.raises(InvalidInputError, match="Expected a text, got the path"):
        list(predict(repo, context, "reviews", Path("review.txt")))
    with pytest.raises(InvalidInputError, match="Expected a sequence of texts"):
        Predictor(repo, context, "reviews").probabilities(np.zeros((1, 8, 8), np.uint8))


def encoder(folder: Path) -> Path:
    """Writes a small BERT as Hugging Face has it."""
    reference = json.loads(VECTORS.read_text())["models"]["bert"]
    tensors = seeded_tensors({name: tuple(shape) for name, shape in reference["shapes"].items()}, 1)
    where = write_model(folder, reference["config"], tensors)
    (where / "tokenizer.json").write_text(json.dumps(reference["tokenizer"]))
    return where


def test_an_encoder_of_hugging_face_is_a_root_whose_tokenizer_goes_along(here) -> None:
    where, told = encoder(here.folder / "mini"), list[str]()
    init(Path("tuned"), here.context, preset="bert-s", root=str(where))
    repo, context = open_repository(here.folder / "tuned"), replace(here.context, warn=told.append)
    (root,) = (repo.objects.model(oid) for oid in repo.refs.roots().values())
    assert root.architecture.config["vocabulary"] == 30
    assert root.origin is not None
    assert root.origin.source == "mini"
    add_task(repo, context, f"jsonl:{here.folder / 'data'}", TaskOptions(name="reviews"))
    evolve(repo, here.context, ["reviews"], ONE)
    remote.add(repo, here.context, "origin", "shared")
    push(repo, here.context)
    shutil.rmtree(where)
    clone("shared", "other", here.context)
    other = open_repository(here.folder / "other")
    chances = [Predictor(one, here.context, "reviews").probabilities(ASKED) for one in (repo, other)]
    np.testing.assert_array_equal(*chances)
    assert evaluate(repo, here.context, "reviews").num_examples == 40
    assert fsck(other, here.context).is_clean

    monkey = replace(
        root, architecture=replace(root.architecture, config={**root.architecture.config, "tokenizer": "0" * 64})
    )
    taken = family_named("bert").input(monkey.architecture.config, monkey.hyperparameters)
    with pytest.raises(CorruptObjectError, match="has the tokenizer 0000000000"):
        brought_options(repo, taken)


def test_an_encoder_does_not_become_a_root_of_pictures(here) -> None:
    with pytest.raises(InvalidInputError, match="it is a Hugging Face BERT, and vit-mini is a vit") as raised:
        init(Path("odd"), here.context, preset="vit-mini", root=str(encoder(here.folder / "mini")))
    assert "--preset bert-s" in str(raised.value.hint)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DataError, match="not installed") as raised:
        tokenizer_of(b"{}", 7)
    assert raised.value.hint == "Install it: pip install 'mu2net[text]'"
