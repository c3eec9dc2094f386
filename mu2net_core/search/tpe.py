"""``tpe``: evolution whose hyperparameters a tree-structured Parzen estimator proposes (Bergstra et al., 2011).

Parents, copied layers and changes of structure are those of evolution, by the same rules and counts. What differs: a
hyperparameter is not moved by chance to a neighbouring value, but gets the one that promises most by all that was tried
on the task, discarded children included. Optuna computes that. It is given the trials anew each time and keeps nothing,
so what it proposes follows from the state and the seed: who goes on after a crash plans the same children.

Optuna knows hyperparameters by their places in their lists, along which they move in evolution, too. Those that say how
examples are prepared are proposed once for a generation, apart from the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mu2net_core.objects import Hyperparameter, System, Trial
from mu2net_core.search.plan import ChildPlan
from mu2net_core.search.population import ask as ask_evolution
from mu2net_core.search.space import COPY_ALL, SearchSpace
from mu2net_core.search.state import SearchState
from mu2net_core.search.structure import Structure
from mu2net_core.seeds import derive_seed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

__all__ = ["ask", "tell"]

_FEWEST = 4
"""So many trials must be known; before that, hyperparameters move as in evolution: near where the presets begin."""

_NEWEST = 500
"""So many trials are learned from: asking takes longer with each of them."""

_SEEDS = 2**32

Values = Mapping[str, Hyperparameter]
"""Of hyperparameters, by name."""


def ask(
    state: SearchState,
    system: System,
    space: SearchSpace,
    /,
    *,
    num_children: int,
    structure: Structure,
    seed: int,
) -> tuple[tuple[ChildPlan, ...], SearchState]:
    """Returns plans for one generation, and the state with the selections counted."""
    plans, population = ask_evolution(
        state.population,
        system,
        space,
        num_children=num_children,
        structure=structure,
        seed=seed,
        proposed=_proposed((*state.before, *state.trials), space, num_children, derive_seed(seed, "tpe")),
    )
    return plans, replace(state, population=population)


def tell(state: SearchState, trials: Sequence[Trial], /) -> SearchState:
    """Returns the state as it is: what was tried is among its trials."""
    del trials
    return state


def _proposed(trials: Sequence[Trial], space: SearchSpace, num_children: int, seed: int) -> tuple[Values, ...]:
    """Returns what each child is to have of the hyperparameters that can move; nothing while too little is known."""
    names = [name for name in space.movable if name != COPY_ALL]
    known = [trial for trial in trials if all(trial.values.get(name) in space.values[name] for name in names)]
    if len(known) < _FEWEST:
        return ()
    own = {name: space.values[name] for name in names if name not in space.shared}
    shared = {name: space.values[name] for name in names if name in space.shared}
    (together,) = _asked(known[-_NEWEST:], shared, 1, derive_seed(seed, "shared") % _SEEDS)
    return tuple(
        {**each, **together} for each in _asked(known[-_NEWEST:], own, num_children, derive_seed(seed, "own") % _SEEDS)
    )


def _asked(
    trials: Sequence[Trial], lists: Mapping[str, tuple[Hyperparameter, ...]], count: int, seed: int
) -> tuple[Values, ...]:
    """Returns ``count`` proposals of a value from each list; those before are known to the next, without a result."""
    if not lists:
        return ({},) * count
    from optuna import create_study
    from optuna.samplers import TPESampler

    places: dict[str, BaseDistribution] = {name: _places(values) for name, values in sorted(lists.items())}
    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0)
    with _silently():
        study = create_study(direction="maximize", sampler=sampler)
    study.add_trials([_told(trial, lists, places) for trial in trials])
    asked = [study.ask(places).params for _ in range(count)]
    return tuple({name: lists[name][place] for name, place in params.items()} for params in asked)


def _places(values: tuple[Hyperparameter, ...]) -> BaseDistribution:
    """Returns the places in a list of values: those of words have no order."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(values[0], str):
        return CategoricalDistribution(range(len(values)))
    return IntDistribution(0, len(values) - 1)


def _told(
    trial: Trial, lists: Mapping[str, tuple[Hyperparameter, ...]], places: dict[str, BaseDistribution]
) -> FrozenTrial:
    """Returns what Optuna is told of a child; one that diverged is worse than all others."""
    from optuna.trial import TrialState, create_trial

    params = {name: values.index(trial.values[name]) for name, values in sorted(lists.items())}
    if trial.score is None:
        return create_trial(state=TrialState.PRUNED, params=params, distributions=places)
    return create_trial(value=trial.score, params=params, distributions=places)


@contextmanager
def _silently() -> Iterator[None]:
    """Keeps Optuna from telling stderr of every study."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)
