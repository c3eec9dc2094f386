from .blueprint import num_params
from .cycle import schedule_of
from .evaluate import Answers, Measured, Tally, answers, measure, numbers, probabilities
from .feeding import Feed, TaskData
from .fitting import can_give_blocks, unfit_parent
from .generation import refit
from .iteration import IterationState, run_iteration
from .layout import choose_layout
from .loaded import LoadedModel, precision_of
from .meter import Meter
from .pool import ComponentPool
from .programs import Programs
from .workshop import Workshop

__all__ = [
    "Answers",
    "ComponentPool",
    "Feed",
    "IterationState",
    "LoadedModel",
    "Measured",
    "Meter",
    "Programs",
    "Tally",
    "TaskData",
    "Workshop",
    "answers",
    "can_give_blocks",
    "choose_layout",
    "measure",
    "num_params",
    "numbers",
    "precision_of",
    "probabilities",
    "refit",
    "run_iteration",
    "schedule_of",
    "unfit_parent",
]
