"""Pure decisions: who becomes a parent, what is mutated, what was tried. No line here sees an array."""

from mu2net_core.scoring import score
from mu2net_core.search.accounting import account, accounted_params
from mu2net_core.search.methods import (
    DEFAULT_METHOD,
    METHODS,
    MU2NET_PLUS,
    RANDOM,
    Evolution,
    SearchMethod,
    plan_generation,
)
from mu2net_core.search.mutations import Preparation, candidates, draw_preparation, mutate, rate
from mu2net_core.search.parents import sample_parent
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.population import Population, ask, best, is_better, start, tell, usable
from mu2net_core.search.random_search import ask_random
from mu2net_core.search.space import MU, PREPROCESSING, STRUCTURAL, SearchSpace, neighbour
from mu2net_core.search.state import Memory, SearchState, taken_in
from mu2net_core.search.structure import Structure

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "MU",
    "MU2NET_PLUS",
    "PREPROCESSING",
    "RANDOM",
    "STRUCTURAL",
    "ChildPlan",
    "Evolution",
    "Member",
    "Memory",
    "Population",
    "Preparation",
    "SearchMethod",
    "SearchSpace",
    "SearchState",
    "Structure",
    "account",
    "accounted_params",
    "ask",
    "ask_random",
    "best",
    "candidates",
    "draw_preparation",
    "is_better",
    "mutate",
    "neighbour",
    "plan_generation",
    "rate",
    "sample_parent",
    "score",
    "start",
    "taken_in",
    "tell",
    "usable",
]
