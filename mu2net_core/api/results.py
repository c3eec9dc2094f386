"""What verbs return that other rooms define, for those who only see the api."""

from mu2net_core.insight import Leaderboard
from mu2net_core.objects import Head
from mu2net_core.repo import Setting
from mu2net_core.repo.cache import CacheReport, PruneReport
from mu2net_core.repo.fsck import FsckReport
from mu2net_core.repo.gc import GcReport
from mu2net_core.repo.outcomes import Exchange, Progress, PushPlan

__all__ = [
    "CacheReport",
    "Exchange",
    "FsckReport",
    "GcReport",
    "Head",
    "Leaderboard",
    "Progress",
    "PruneReport",
    "PushPlan",
    "Setting",
]
