from .api.credits.contributors import ContributorsReport
from .api.evolving.evolve import EvolveResult
from .api.evolving.plan_evolve import EvolvePlan, TaskPlan
from .api.evolving.pushing import Pushed
from .api.evolving.replay import ReplayReport
from .api.facade import Repo, clone, doctor, init, open  # noqa: A004 - reads as mu2net_core.open
from .api.failures import Failure
from .api.looking.ancestry import Ancestry
from .api.looking.log import LogEntry
from .api.looking.reflog import ReflogEntry
from .api.looking.show import Shown
from .api.looking.status import StatusReport
from .api.looking.tasks import TaskInfo
from .api.models.add_root import RootResult
from .api.models.evaluate import EvalResult
from .api.models.predict import Prediction, Predictor, Unreadable
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
from .api.setup.config import DescribedSetting
from .api.setup.doctor import DoctorReport
from .api.sharing.check_remote import RemoteCheck
from .api.sharing.purge import PurgeReport
from .api.sharing.remote import RemoteInfo
from .api.sharing.tag import TagInfo
from .api.signing.verify import VerifyReport
from .api.tasks.choosing import Chosen
from .api.tasks.options import TaskOptions
from .api.tasks.previewed import Preview, PreviewSample, PreviewSplit
from .api.tasks.reset import ResetResult
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
    NewerComponentError,
    NewerError,
    NotFoundError,
    PluginError,
    SearchError,
    StorageError,
    UnreadableError,
)
from .events import (
    AgentWaiting,
    CandidatesProbed,
    ChildFinished,
    ChildReport,
    Compiled,
    Compiling,
    CycleFinished,
    Event,
    GenerationFinished,
    GenerationStarted,
    Happening,
    IterationDropped,
    IterationFinished,
    IterationsQueued,
    IterationStarted,
    Probe,
    RefitStarted,
    RefitStepsFinished,
    Schedule,
    Spent,
    StepsFinished,
    TaskPushed,
)
from .version import __version__

__all__ = [
    "AccessDeniedError",
    "AgentWaiting",
    "AlreadyExistsError",
    "Ancestry",
    "CacheReport",
    "CandidatesProbed",
    "ChildFinished",
    "ChildReport",
    "Chosen",
    "Compiled",
    "Compiling",
    "ConflictError",
    "ContributorsReport",
    "CorruptObjectError",
    "CredentialsExpiredError",
    "CycleFinished",
    "DataError",
    "DescribedSetting",
    "DeviceError",
    "DoctorReport",
    "EvalResult",
    "Event",
    "EvolvePlan",
    "EvolveResult",
    "Exchange",
    "Failure",
    "FsckReport",
    "GcReport",
    "GenerationFinished",
    "GenerationStarted",
    "Happening",
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
    "NewerComponentError",
    "NewerError",
    "NotFoundError",
    "PluginError",
    "Prediction",
    "Predictor",
    "Preview",
    "PreviewSample",
    "PreviewSplit",
    "Probe",
    "Progress",
    "PruneReport",
    "PurgeReport",
    "PushPlan",
    "Pushed",
    "RefitStarted",
    "RefitStepsFinished",
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
    "StepsFinished",
    "StorageError",
    "TagInfo",
    "TaskInfo",
    "TaskOptions",
    "TaskPlan",
    "TaskPushed",
    "Unreadable",
    "UnreadableError",
    "VerifyReport",
    "__version__",
    "clone",
    "doctor",
    "init",
    "open",
]
