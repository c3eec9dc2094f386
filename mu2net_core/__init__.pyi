from .api.add_root import RootResult
from .api.ancestry import Ancestry
from .api.check_remote import RemoteCheck
from .api.config import DescribedSetting
from .api.doctor import DoctorReport
from .api.evaluate import EvalResult
from .api.events import (
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
from .api.evolve import EvolveResult
from .api.facade import Repo, clone, init, open  # noqa: A004 - reads as mu2net_core.open
from .api.log import LogEntry
from .api.predict import Prediction, Predictor, Unreadable
from .api.purge import PurgeReport
from .api.reflog import ReflogEntry
from .api.remote import RemoteInfo
from .api.replay import ReplayReport
from .api.reset import ResetResult
from .api.results import (
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
from .api.show import Shown
from .api.status import StatusReport
from .api.tag import TagInfo
from .api.tasks import TaskInfo
from .api.verify import VerifyReport
from .errors import (
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
    PluginError,
    SearchError,
    StorageError,
    UnreadableError,
)
from .version import __version__

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
    "PluginError",
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
