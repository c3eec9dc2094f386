"""mu2net: git for a living, shared machine-learning system.

    import mu2net_core as m

    repo = m.open("chars")
    labels = repo.model("cmaterdb/bangla").predict(images)

Importing this costs next to nothing: all but the errors is found when it is first used, and none of it imports jax,
flax, zarr or tensorflow_datasets before a verb needs it. docs/python.md describes what is here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    CorruptObjectError,
    CredentialsExpiredError,
    DataError,
    DeviceError,
    InternalError,
    InvalidInputError,
    Mu2netError,
    NewerError,
    NotFoundError,
    SearchError,
    StorageError,
    UnreadableError,
)
from mu2net_core.version import __version__

if TYPE_CHECKING:
    from mu2net_core.api.add_root import RootResult
    from mu2net_core.api.ancestry import Ancestry
    from mu2net_core.api.check_remote import RemoteCheck
    from mu2net_core.api.config import DescribedSetting
    from mu2net_core.api.doctor import DoctorReport
    from mu2net_core.api.evaluate import EvalResult
    from mu2net_core.api.events import (
        ChildFinished,
        ChildReport,
        Compiled,
        Compiling,
        CycleFinished,
        Event,
        GenerationFinished,
        GenerationStarted,
        IterationDropped,
        IterationFinished,
        IterationsQueued,
        IterationStarted,
        Schedule,
        Spent,
    )
    from mu2net_core.api.evolve import EvolveResult
    from mu2net_core.api.facade import Repo, clone, init, open  # noqa: A004  reads as mu2net_core.open
    from mu2net_core.api.log import LogEntry
    from mu2net_core.api.predict import Prediction, Predictor, Unreadable
    from mu2net_core.api.purge import PurgeReport
    from mu2net_core.api.reflog import ReflogEntry
    from mu2net_core.api.remote import RemoteInfo
    from mu2net_core.api.replay import ReplayReport
    from mu2net_core.api.reset import ResetResult
    from mu2net_core.api.results import (
        CacheReport,
        Exchange,
        FsckReport,
        GcReport,
        Head,
        Leaderboard,
        Progress,
        PruneReport,
        PushPlan,
        Setting,
    )
    from mu2net_core.api.show import Shown
    from mu2net_core.api.status import StatusReport
    from mu2net_core.api.tag import TagInfo
    from mu2net_core.api.tasks import TaskInfo
    from mu2net_core.api.verify import VerifyReport

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "Ancestry",
    "CacheReport",
    "ChildFinished",
    "ChildReport",
    "Compiled",
    "Compiling",
    "ConflictError",
    "CorruptObjectError",
    "CredentialsExpiredError",
    "CycleFinished",
    "DataError",
    "DescribedSetting",
    "DeviceError",
    "DoctorReport",
    "EvalResult",
    "Event",
    "EvolveResult",
    "Exchange",
    "FsckReport",
    "GcReport",
    "GenerationFinished",
    "GenerationStarted",
    "Head",
    "InternalError",
    "InvalidInputError",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
    "IterationsQueued",
    "Leaderboard",
    "LogEntry",
    "Mu2netError",
    "NewerError",
    "NotFoundError",
    "Prediction",
    "Predictor",
    "Progress",
    "PruneReport",
    "PurgeReport",
    "PushPlan",
    "ReflogEntry",
    "RemoteCheck",
    "RemoteInfo",
    "ReplayReport",
    "Repo",
    "ResetResult",
    "RootResult",
    "Schedule",
    "SearchError",
    "Setting",
    "Shown",
    "Spent",
    "StatusReport",
    "StorageError",
    "TagInfo",
    "TaskInfo",
    "Unreadable",
    "UnreadableError",
    "VerifyReport",
    "__version__",
    "clone",
    "init",
    "open",
]

_HOMES = {
    "api.add_root": ("RootResult",),
    "api.ancestry": ("Ancestry",),
    "api.check_remote": ("RemoteCheck",),
    "api.config": ("DescribedSetting",),
    "api.doctor": ("DoctorReport",),
    "api.evaluate": ("EvalResult",),
    "api.events": (
        *("ChildFinished", "ChildReport", "Compiled", "Compiling", "CycleFinished", "Event", "GenerationFinished"),
        *("GenerationStarted", "IterationDropped", "IterationFinished", "IterationStarted", "IterationsQueued"),
        *("Schedule", "Spent"),
    ),
    "api.evolve": ("EvolveResult",),
    "api.facade": ("Repo", "clone", "init", "open"),
    "api.log": ("LogEntry",),
    "api.predict": ("Prediction", "Predictor", "Unreadable"),
    "api.purge": ("PurgeReport",),
    "api.reflog": ("ReflogEntry",),
    "api.remote": ("RemoteInfo",),
    "api.replay": ("ReplayReport",),
    "api.reset": ("ResetResult",),
    "api.results": (
        *("CacheReport", "Exchange", "FsckReport", "GcReport", "Head"),
        *("Leaderboard", "Progress", "PruneReport", "PushPlan", "Setting"),
    ),
    "api.show": ("Shown",),
    "api.status": ("StatusReport",),
    "api.tag": ("TagInfo",),
    "api.tasks": ("TaskInfo",),
    "api.verify": ("VerifyReport",),
}
"""Where names come from that are found when they are first used: the same as the imports for type checkers above."""

if not TYPE_CHECKING:  # type checkers see the imports; shown this, they would believe in any name
    _HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
