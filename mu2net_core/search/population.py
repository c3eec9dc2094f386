"""The models of a task iteration: who can be a parent, who stays; and ``ask``, the papers' way to plan children.

Pure functions over values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mu2net_core.objects import Hyperparameter, Model, Scorer, System
from mu2net_core.scoring import rank_key, score
from mu2net_core.search.holdings import Holdings
from mu2net_core.search.kinship import Kinship
from mu2net_core.search.mutations import Preparation, copied_whole, draw_preparation, mutate, usual_preparation
from mu2net_core.search.parents import sample_parent, usable
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.probing import best_probed, probed_weights
from mu2net_core.search.space import SearchSpace
from mu2net_core.search.structure import Structure
from mu2net_core.seeds import derive_seed, rng

__all__ = ["Population", "ask", "best", "is_better", "measured_as", "rescored", "scored_by", "start", "tell"]

QUALITY_ONLY = Scorer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The active task's models alive during one task iteration.

    Attributes:
        task: the active task.
        members: oldest first; retained models, then children that were kept.
        selections: by model id, how often it was selected in *this* iteration.
        past: former members that members descend from; no parents any more, but part of the lineage.
        probed: by model id, the accuracy of a linear probe on what its layers make of the task's examples.
    """

    task: str
    members: tuple[Member, ...] = ()
    selections: Mapping[str, int] = field(default_factory=dict)
    past: tuple[Member, ...] = ()
    probed: Mapping[str, float] = field(default_factory=dict)


def start(system: System, task: str, scorer: Scorer = QUALITY_ONLY) -> Population:
    """Returns the population an iteration on ``task`` starts with: the task's retained model, if it has one.

    It is scored by ``scorer``, and by what its layers cost the task now.
    """
    head = system.heads[task]
    if head.model is None or head.model_id is None:
        return Population(task=task)
    found = Population(task=task, members=(Member(id=head.model_id, model=head.model),))
    return rescored(found, system, scorer)


def rescored(population: Population, system: System, scorer: Scorer) -> Population:
    """Returns the population as it stands in ``system``, scored by ``scorer``.

    What a layer costs a task changes with who else uses it: scores of earlier generations, or of a retained model,
    compare with those of children only if all are by the shares of now.
    """
    holdings = Holdings.of(system, population.task)
    return replace(population, members=tuple(_standing(member, holdings, scorer) for member in population.members))


def ask(
    population: Population,
    system: System,
    space: SearchSpace,
    *,
    num_children: int,
    structure: Structure,
    seed: int,
    proposed: Sequence[Mapping[str, Hyperparameter]] = (),
) -> tuple[tuple[ChildPlan, ...], Population]:
    """Returns plans for one generation, and the population with its selections counted.

    As long as a task that has probed has no model, the first child is all of the best candidate in the probe, trained
    on, and examples are prepared as by default: chance moves what is known to work, and not what was never tried.

    Args:
        population: of the active task.
        system: the newest image of the system; models the task may not use are never parents.
        space: where hyperparameters may move.
        num_children: how many to plan.
        structure: the architecture's part in what may change.
        seed: of this generation; child ``i`` uses a stream of its own.
        proposed: for each child, values that hyperparameters get instead of a move by chance, the same for all children
            of those that say how examples are prepared; nothing is proposed if it is empty.
    """
    others, roots = usable(system, population.task)
    candidates, holdings = (*others, *roots), Holdings.of(system, population.task)
    members = (*population.past, *population.members)
    kinship = Kinship.of(system, population.task, members) if space.merging else Kinship()
    kinship = kinship.with_strangers(system) if space.crossing else kinship
    counts, past = dict(population.selections), system.heads[population.task].commit
    first = None if population.members else best_probed(candidates, population.probed)
    given = proposed or ({},) * num_children
    preparation = usual_preparation(space) if first is not None else _preparation(population, space, given[0], seed)
    weights = probed_weights(candidates, population.probed)
    plans: list[ChildPlan] = []
    for child in range(num_children):
        draw, train = rng(seed, "child", child), derive_seed(seed, "train", child)
        begun = first if child == 0 else None
        before = {member.id: past.times_selected(member.id) for member in (*population.members, *candidates)}
        totals = {oid: times + counts.get(oid, 0) for oid, times in before.items()}
        parent = begun or sample_parent(population.members, candidates, totals, draw, weights=weights)
        counts[parent.id] = counts.get(parent.id, 0) + 1
        if begun:
            plans.append(copied_whole(parent, space, structure, holdings, preparation, train))
        else:
            plans.append(mutate(parent, space, structure, holdings, preparation, draw, train, given[child], kinship))
    return tuple(plans), replace(population, selections=counts)


def _preparation(
    population: Population, space: SearchSpace, given: Mapping[str, Hyperparameter], seed: int
) -> Preparation:
    """Returns how the next generation prepares its examples: drawn from what the best model does, unless ``given``."""
    leader = best(population)
    drawn = draw_preparation(None if leader is None else leader.model, space, rng(seed, "preparation"))
    return replace(drawn, values={name: given.get(name, value) for name, value in drawn.values.items()})


def tell(population: Population, kept: Collection[Member], *, cap: int) -> Population:
    """Returns the population with the children that were kept added, newest last; only the ``cap`` best stay.

    Where scores tie the newest stay. A model that was retained earlier counts like the others.
    """
    members = (*population.members, *kept)
    ranked = sorted(range(len(members)), key=lambda age: (_rank(members[age]), age), reverse=True)
    alive = tuple(members[age] for age in sorted(ranked[:cap]))
    return replace(population, members=alive, past=_past(alive, (*population.past, *members)))


def best(population: Population) -> Member | None:
    """Returns the member with the best score, the newest where scores tie; None if there is no member."""
    scored = [member for member in population.members if member.model.score is not None]
    return max(reversed(scored), key=_rank, default=None)


def is_better(model: Model, before: Model | None) -> bool:
    """Returns whether a model is better than the one there was, which is scored by the same rule; None: any is."""
    if before is None or model.scorer is None:
        return True
    if model.validation_examples != before.validation_examples is not None:
        return True  # the one there was lost to others when it was measured on the examples of now
    return rank_key(model.score) > rank_key(scored_by(model.scorer, before).score)


def _past(alive: tuple[Member, ...], known: tuple[Member, ...]) -> tuple[Member, ...]:
    """Returns those of ``known`` that members descend from and that are not ``alive``, oldest first."""
    by_id, living, wanted = {member.id: member for member in known}, {member.id for member in alive}, set[str]()
    for member in alive:
        oid = member.model.parent
        while oid is not None and oid in by_id and oid not in wanted:
            wanted.add(oid)
            oid = by_id[oid].model.parent
    return tuple(member for oid, member in by_id.items() if oid in wanted - living)


def measured_as(member: Member, quality: float, examples: int) -> Member:
    """Returns a member whose quality was measured again, on ``examples`` validation examples; not scored by it yet."""
    model = replace(member.model, quality=quality, validation_examples=examples)
    return Member(id=member.id, model=model, stored=member.manifest)


def _standing(member: Member, holdings: Holdings, scorer: Scorer) -> Member:
    model = member.model
    if model.quality is None or model.costs is None:
        return member
    costs = replace(model.costs, accounted_params=holdings.share_of(model.components))
    now = replace(model, score=score(model.quality, costs, scorer), scorer=scorer, costs=costs)
    if (now.score, now.scorer) == (model.score, model.scorer):
        return member
    return Member(id=member.id, model=now, stored=member.manifest)


def scored_by(scorer: Scorer, model: Model) -> Model:
    """Returns a model scored by ``scorer``, from what its manifest says; as it is if it says too little."""
    if model.scorer == scorer or model.quality is None or model.costs is None:
        return model
    return replace(model, score=score(model.quality, model.costs, scorer), scorer=scorer)


def _rank(member: Member) -> tuple[bool, float]:
    return rank_key(member.model.score)
