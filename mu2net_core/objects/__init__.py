"""Pure values and their canonical bytes. Nothing here touches a disk, a network, a clock or a device."""

from mu2net_core.objects.access import PUBLIC, AccessRule, component_rule, intersect, may_read
from mu2net_core.objects.canonical import decode, encode, to_document, to_json
from mu2net_core.objects.checks import LARGEST_COUNT
from mu2net_core.objects.commit import Agent, Children, Commit, HeadEntry, Signature, Snapshot, check_identity
from mu2net_core.objects.component import Component, ComponentRef, Label, Training, hidden_training, narrowest
from mu2net_core.objects.described import described
from mu2net_core.objects.kinds import Classes, Column, Image, Input, Labels, Number, Other, Output, Table, Text
from mu2net_core.objects.limits import LIMITS, LIMITS_PREFIX, Limits
from mu2net_core.objects.machine import MACHINE_PREFIX, MachineConfig
from mu2net_core.objects.model import Architecture, Costs, Hyperparameter, Model, Mutation, Origin, Scorer
from mu2net_core.objects.names import check_name, file_name, is_identity, is_name
from mu2net_core.objects.newer import is_later, is_version, made_by_newer, unknown_in
from mu2net_core.objects.oid import KINDS, Kind, check_oid, hash_bytes, object_key, parse_object_key
from mu2net_core.objects.preparation import PREPARATION
from mu2net_core.objects.run import Run, RunSetting, Seen
from mu2net_core.objects.signed import SignedKind, signed_bytes
from mu2net_core.objects.strict import decode_strict
from mu2net_core.objects.system import Head, System
from mu2net_core.objects.task import SPLITS, Slice, Split, Task
from mu2net_core.objects.trial import MOST_TRIALS, ChildOutcome, Trial, Trials

__all__ = [
    "KINDS",
    "LARGEST_COUNT",
    "LIMITS",
    "LIMITS_PREFIX",
    "MACHINE_PREFIX",
    "MOST_TRIALS",
    "PREPARATION",
    "PUBLIC",
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
    "Limits",
    "MachineConfig",
    "Model",
    "Mutation",
    "Number",
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
