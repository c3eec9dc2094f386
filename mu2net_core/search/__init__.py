"""Pure decisions: who becomes a parent, what is mutated, what a model is worth. No line here sees an array."""

from mu2net_core.search.mutations import candidates, mutate, rate
from mu2net_core.search.parents import sample_parent
from mu2net_core.search.plan import ChildPlan, Member
from mu2net_core.search.population import Population, ask, best, start, tell
from mu2net_core.search.scoring import account, accounted_params, score
from mu2net_core.search.space import MU, SearchSpace, neighbour

__all__ = [
    "MU",
    "ChildPlan",
    "Member",
    "Population",
    "SearchSpace",
    "account",
    "accounted_params",
    "ask",
    "best",
    "candidates",
    "mutate",
    "neighbour",
    "rate",
    "sample_parent",
    "score",
    "start",
    "tell",
]
