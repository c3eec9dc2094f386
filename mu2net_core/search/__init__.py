"""Pure decisions: who becomes a parent, what is mutated, what a model is worth. No line here sees an array."""

from mu2net_core.search.methods import DEFAULT_METHOD, check_method, method_named, method_names
from mu2net_core.search.mutations import Preparation, candidates, draw_preparation, mutate, rate
from mu2net_core.search.parents import sample_parent
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.population import Population, SearchMethod, ask, best, start, tell
from mu2net_core.search.random_search import ask_random
from mu2net_core.search.scoring import account, accounted_params, score
from mu2net_core.search.space import MU, PREPROCESSING, STRUCTURAL, SearchSpace, neighbour
from mu2net_core.search.structure import Structure

__all__ = [
    "DEFAULT_METHOD",
    "MU",
    "PREPROCESSING",
    "STRUCTURAL",
    "ChildPlan",
    "Member",
    "Population",
    "Preparation",
    "SearchMethod",
    "SearchSpace",
    "Structure",
    "account",
    "accounted_params",
    "ask",
    "ask_random",
    "best",
    "candidates",
    "check_method",
    "draw_preparation",
    "method_named",
    "method_names",
    "mutate",
    "neighbour",
    "rate",
    "sample_parent",
    "score",
    "start",
    "tell",
]
