from .access import PUBLIC, AccessRule, component_rule, intersect, may_read
from .canonical import decode, encode, to_document, to_json
from .checks import LARGEST_COUNT
from .commit import Agent, Children, Commit, HeadEntry, Signature, Snapshot, check_identity
from .component import Component, ComponentRef, Label, Operation, Training, hidden_training, narrowest
from .describing import described
from .kinds import Classes, Column, Image, Input, Labels, Number, Other, Output, Table, Text
from .lease import LeaseEntry
from .limits import LIMITS, LIMITS_PREFIX, Limits
from .machine import MACHINE_PREFIX, MachineConfig
from .model import REFIT, Architecture, Costs, Hyperparameter, Merge, Model, Mutation, Origin, Scorer, hardware_of
from .names import check_name, file_name, is_identity, is_name
from .newer import is_later, is_version, made_by_newer, unknown_in
from .oid import KINDS, Kind, check_oid, hash_bytes, object_key, parse_object_key
from .preparation import PREPARATION
from .run import Run, RunSetting, Seen
from .signed import SignedKind, signed_bytes
from .stored_report import StoredReport
from .strict import decode_strict
from .system import Head, System
from .task import SPLITS, Slice, Split, Task
from .trial import MOST_TRIALS, ChildOutcome, Trial, Trials

__all__ = [
    "KINDS",
    "LARGEST_COUNT",
    "LIMITS",
    "LIMITS_PREFIX",
    "MACHINE_PREFIX",
    "MOST_TRIALS",
    "PREPARATION",
    "PUBLIC",
    "REFIT",
    "SPLITS",
    "AccessRule",
    "Agent",
    "Architecture",
    "ChildOutcome",
    "Children",
    "Classes",
    "Column",
    "Commit",
    "Component",
    "ComponentRef",
    "Costs",
    "Head",
    "HeadEntry",
    "Hyperparameter",
    "Image",
    "Input",
    "Kind",
    "Label",
    "Labels",
    "LeaseEntry",
    "Limits",
    "MachineConfig",
    "Merge",
    "Model",
    "Mutation",
    "Number",
    "Operation",
    "Origin",
    "Other",
    "Output",
    "Run",
    "RunSetting",
    "Scorer",
    "Seen",
    "Signature",
    "SignedKind",
    "Slice",
    "Snapshot",
    "Split",
    "StoredReport",
    "System",
    "Table",
    "Task",
    "Text",
    "Training",
    "Trial",
    "Trials",
    "check_identity",
    "check_name",
    "check_oid",
    "component_rule",
    "decode",
    "decode_strict",
    "described",
    "encode",
    "file_name",
    "hardware_of",
    "hash_bytes",
    "hidden_training",
    "intersect",
    "is_identity",
    "is_later",
    "is_name",
    "is_version",
    "made_by_newer",
    "may_read",
    "narrowest",
    "object_key",
    "parse_object_key",
    "signed_bytes",
    "to_document",
    "to_json",
    "unknown_in",
]
