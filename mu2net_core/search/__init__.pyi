from .holdings import Holdings
from .kinship import Kinship, block_stem
from .methods import DEFAULT_METHOD, METHODS, MU2NET_PLUS, RANDOM, SearchMethod, plan_generation
from .mutations import Preparation, as_it_is, candidates, mutate, rate
from .next_task import Gain, Prospect, promise, ranked
from .parents import sample_parent
from .plan import ChildPlan, Member, Merging, Partner
from .population import Population, ask, best, is_better, measured_as, rescored, start, tell
from .probing import probed_weights, to_probe
from .random_search import ask_random
from .space import SearchSpace, nearest, neighbour
from .state import SearchState, taken_in
from .structure import Structure

__all__ = [
    "DEFAULT_METHOD",
    "METHODS",
    "MU2NET_PLUS",
    "RANDOM",
    "ChildPlan",
    "Gain",
    "Holdings",
    "Kinship",
    "Member",
    "Merging",
    "Partner",
    "Population",
    "Preparation",
    "Prospect",
    "SearchMethod",
    "SearchSpace",
    "SearchState",
    "Structure",
    "as_it_is",
    "ask",
    "ask_random",
    "best",
    "block_stem",
    "candidates",
    "is_better",
    "measured_as",
    "mutate",
    "nearest",
    "neighbour",
    "plan_generation",
    "probed_weights",
    "promise",
    "ranked",
    "rate",
    "rescored",
    "sample_parent",
    "start",
    "taken_in",
    "tell",
    "to_probe",
]
