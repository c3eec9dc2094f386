"""What verbs return that other rooms define, for those who only see the api."""

from mu2net_core.insight import Leaderboard
from mu2net_core.objects import Head
from mu2net_core.repo import Setting
from mu2net_core.repo.checking import FsckReport
from mu2net_core.repo.remotes import CacheReport, Exchange, Progress, PruneReport, PushPlan
from mu2net_core.repo.upkeep import GcReport

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
