"""Probing candidates: how well a linear model tells classes from what a candidate's layers make of some examples.

``N`` is the number of examples, ``D`` the width of what the layer below the head gives.
"""

from __future__ import annotations

import numpy as np

from mu2net_core.engine.beginning import begun_layer, padded
from mu2net_core.engine.drafting import Draft, bring_sources, draft_all
from mu2net_core.engine.feeding import hold
from mu2net_core.engine.workshop import Workshop
from mu2net_core.objectives import Classify
from mu2net_core.objects import System
from mu2net_core.search import Population, as_it_is, to_probe
from mu2net_core.seeds import derive_seed

__all__ = ["MOST_EXAMPLES", "linear_probe", "probed"]

MOST_EXAMPLES = 512
"""Of the training split, that a probe looks at."""

_RIDGE = 1e-2
"""The penalty, as a share of the mean squared length of a feature."""


def probed(shop: Workshop, population: Population, system: System, *, seed: int) -> dict[str, float]:
    """Returns by model id what a linear probe reaches on a new task's training examples, for those that are probed.

    Nothing is trained. The same seed and system give the same. Where the task is no classification none is probed.

    Args:
        shop: of the task.
        population: of the task, without members.
        system: as it is now.
        seed: decides which candidates are probed, and on which examples.
    """
    most = shop.preset.training.probes if isinstance(shop.objective, Classify) else 0
    found = to_probe(system, shop.task.name, most=most, seed=seed)
    plans = tuple(as_it_is(member, shop.space, seed) for member in found)
    drafts = draft_all(shop, plans, population, system)
    return {draft.plan.parent.id: _accuracy(shop, draft, seed) for draft in drafts}


def _accuracy(shop: Workshop, draft: Draft, seed: int) -> float:
    features, labels = _features(shop, draft, seed)
    return linear_probe(features, labels, shop.task.output.size)


def _features(shop: Workshop, draft: Draft, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the layers below the head make of some training examples, [N, D], and their labels [N]."""
    programs, feed = shop.programs, shop.data.at(draft.input_spec).train
    family, layers = programs.family, draft.blueprint.layers
    bring_sources(shop, layers)
    slots = tuple(family.roomy(layer.spec) for layer in layers)
    arrays = [begun_layer(layer, draft.plan.seed, shop.pool, family) for layer in layers[:-1]]
    row = tuple(
        {name: programs.placement.put(array) for name, array in padded(one, slot, family).items()}
        for one, slot in zip(arrays, slots, strict=False)
    )
    batch, parts, labels = programs.evaluation_batch(slots), list[np.ndarray](), list[np.ndarray]()
    count = min(feed.num_examples, MOST_EXAMPLES)
    for examples in feed.shuffled(count, chunk=batch, seed=derive_seed(seed, "probe")):
        inputs = hold(examples.inputs, batch, programs)
        made = programs.activations(slots[:-1], row, inputs, above=slots[-1:])
        parts.append(np.asarray(made)[: len(examples)].reshape(len(examples), -1))
        labels.append(np.asarray(examples.labels))
    return np.concatenate(parts), np.concatenate(labels)


def linear_probe(features: np.ndarray, labels: np.ndarray, num_classes: int) -> float:
    """Returns the share of examples that a ridge regression on all others gives their label; exact, in closed form.

    Args:
        features: [N, D].
        labels: integers [N], below ``num_classes``.
        num_classes: of the task.
    """
    x = np.asarray(features, np.float64)
    x = x - x.mean(axis=0)
    targets = np.eye(num_classes)[labels] - 1.0 / num_classes
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += _RIDGE * max(np.trace(gram) / len(gram), 1e-12)
    hat = x @ np.linalg.solve(gram, x.T)
    left_out = targets - (targets - hat @ targets) / np.maximum(1.0 - np.diag(hat), 1e-9)[:, None]
    return float(np.mean(left_out.argmax(axis=-1) == labels))
