"""What every iteration of one preset shares: compiled programs, checked parents, the task's examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.lines import earlier_models, was_refit
from mu2net_core.api.evolving.parents import ParentCheck
from mu2net_core.api.evolving.remembered import remembered
from mu2net_core.api.iterations.recorded import changed_settings, digest_of
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.api.machine.devices import devices_of
from mu2net_core.api.machine.machine import num_cores, processor
from mu2net_core.api.machine.runtime import prepare_jax, programs_of, provenance, split_at, task_data
from mu2net_core.api.settings.buildable import check_buildable
from mu2net_core.api.settings.serving import is_auto
from mu2net_core.api.settings.settings import effective_machine
from mu2net_core.engine import (
    ComponentPool,
    IterationState,
    LoadedModel,
    Measured,
    Programs,
    Workshop,
    measure,
    refit,
)
from mu2net_core.errors import AccessDeniedError, CorruptObjectError, Mu2netError, NotFoundError, StorageError
from mu2net_core.events import Compiled, Compiling, Event, RefitStarted, RefitStepsFinished
from mu2net_core.nn import family_named
from mu2net_core.objectives import objective_of
from mu2net_core.objects import Head, Model, Run, System, encode, hardware_of, hash_bytes
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.repo.history import granted_rule
from mu2net_core.scoring import SCORERS
from mu2net_core.search import METHODS, Member, SearchState, measured_as, rescored, start

__all__ = ["Runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Where iterations are run, one after the other.

    Attributes:
        repo: whose tasks.
        context: of this process.
        preset: with all settings in force.
        programs: compiled so far.
        parents: leaves out models that no child can be made from.
        provenance: device kind and library versions.
    """

    repo: Repository
    context: Context
    preset: Preset
    programs: Programs
    parents: ParentCheck
    provenance: Mapping[str, str]

    @classmethod
    def of(
        cls, repo: Repository, context: Context, agent: AgentSpec, preset: Preset, on_event: Callable[[Event], None]
    ) -> Runner:
        """Returns an agent's for tasks of ``preset``, nothing of it compiled yet; ``on_event`` is told what is."""
        METHODS.load(preset.training.method)  # what is not installed shows now
        SCORERS.load(preset.scorer.name)
        check_buildable(preset, repo.limits)
        prepare_jax(context)
        programs = programs_of(
            repo,
            context,
            preset,
            lambda what, s: on_event(Compiled(what=what, wall_s=s)),
            devices=devices_of(agent.devices),
        )
        programs.on_wait = lambda what: on_event(Compiling(what=what))
        return cls(
            repo=repo,
            context=context,
            preset=preset,
            programs=programs,
            parents=ParentCheck(
                context=context,
                preset=preset,
                family=programs.family,
                limits=repo.limits,
                label_of=repo.objects.label,
                is_one_of_several=is_auto(repo),
            ),
            provenance=provenance(programs, effective_machine(repo, context)),
        )

    @property
    def digest(self) -> str:
        """The hash of all settings in force: another batch size or search space makes other children."""
        return digest_of(self.preset)

    def begin(self, system: System, task: str, base: str, workspace: Workspace) -> SearchState:
        """Returns what a search method knows when an iteration on a task begins at the commit ``base``.

        A retained model that was scored on another number of validation examples is measured again on those of now, and
        one that other hardware measured on this: children compete with what is measured as they are.
        Where the task's model is of another preset, the newest before it that is of this one is the beginning.
        """
        scorer, head = self.preset.scorer, system.heads[task]
        population, before = start(system, task, scorer), remembered(self.repo, base, self.preset)
        if head.model is None and head.model_id is not None:
            population = replace(population, members=self._earlier(system, head, base))
        members = tuple(self._as_here(head, member, workspace) for member in population.members)
        return SearchState(
            population=rescored(replace(population, members=members), system, scorer), scorer=scorer, before=before
        )

    def as_here(self, head: Head, member: Member, workspace: Workspace) -> Member:
        """Returns a retained model of whatever preset as it is measured here, on as many examples as children are.

        Where it cannot be measured, what was told of it counts, and the context is told.
        """
        try:
            return self._as_here(head, member, workspace)
        except Mu2netError as exc:
            self.context.warn(
                f"{head.task.name}: its model {member.id[:10]} was measured elsewhere, and cannot be here: "
                f"{exc.message.rstrip('.')}. What was told of it counts."
            )
            return member

    def _as_here(self, head: Head, member: Member, workspace: Workspace) -> Member:
        examples = min(head.task.splits["validation"].num_examples, self.preset.training.validation_cap)
        if member.model.validation_examples in {None, examples} and self._is_mine(member):
            return member
        return measured_as(member, self._quality(head, member, workspace, "validation", examples).quality, examples)

    def _is_mine(self, member: Member) -> bool:
        """Returns whether hardware as here measured a model, as far as that is told."""
        return member.model.device_kind is None or member.model.hardware == hardware_of(self.provenance)

    def _earlier(self, system: System, head: Head, base: str) -> tuple[Member, ...]:
        """Returns the newest model in the history of the commit ``base`` that children can be made from, if any is."""
        found = (
            Member(id=oid, model=model)
            for oid, model in earlier_models(self.repo, base)
            if self.parents.is_fit(oid, model, head.task) and system.may_use(head.task.name, model)
        )
        return tuple(islice(found, 1))

    def workshop(self, head: Head, workspace: Workspace) -> Workshop:
        """Returns what trains children for the task of ``head``; trained arrays go to a workspace.

        Raises:
            DataError: the examples are missing, or are not those of the task.
        """
        task = head.task
        return Workshop(
            task=task,
            task_id=head.commit.task_id,
            access=granted_rule(self.repo, head.commit_id),
            preset=self.preset,
            data=task_data(self.repo, self.context, task, self.preset),
            programs=self.programs,
            pool=ComponentPool(workspace.component, bring=workspace.bring),
            save_component=workspace.save_component,
            model_id=lambda model: hash_bytes(encode(model)),
            provenance=self.provenance,
        )

    def test(self, head: Head, winner: Member, workspace: Workspace) -> Measured:
        """Returns what an iteration's best model is worth on the test split; no program is needed but training's."""
        return self._quality(head, winner, workspace, "test")

    def refit(
        self,
        head: Head,
        winner: Member,
        workshop: Workshop,
        workspace: Workspace,
        state: IterationState,
        on_event: Callable[[Event], None],
    ) -> tuple[Model, Measured] | None:
        """Returns the refit of an iteration's best model, and what it is worth on the test split.

        None where none is wanted; where the model is one of another preset, or was refit before, also if somebody went
        back to it since; and as ``engine.refit`` says. What is missing to refit a model that was there before is told:
        the iteration does without.
        """
        member = self._to_refit(head, winner, state)
        if member is None:
            return None
        members = {member.id: member for member in (*state.population.past, *state.population.members)}

        def find(oid: str) -> Model | None:
            if oid in members:
                return members[oid].manifest
            return self.repo.objects.model(oid) if self.repo.objects.has("model", oid) else None

        def on_start(examples: int, steps: int) -> None:
            on_event(RefitStarted(task=state.task, iteration=state.iteration, examples=examples, steps=steps))

        def on_steps(steps: int) -> None:
            on_event(RefitStepsFinished(task=state.task, iteration=state.iteration, steps=steps))

        try:
            model = refit(workshop, member, find, on_start, on_steps)
        except (AccessDeniedError, CorruptObjectError, NotFoundError, StorageError) as exc:
            if not winner.model.is_retained:
                raise
            self.context.warn(f"{state.task}: its model {winner.id[:10]} is not refit. {exc.message}")
            return None
        if model is None:
            return None
        measured = self._quality(head, Member(id=winner.id, model=model), workspace, "test")
        return replace(model, test_quality=measured.quality), measured

    def _to_refit(self, head: Head, winner: Member, state: IterationState) -> Member | None:
        """Returns an iteration's best model, as it is stored if it was there before; None if it is not to be refit."""
        if not self.preset.training.refits(head.task, state.iteration):
            return None
        if not winner.model.is_retained:
            return winner
        is_mine = winner.id == head.model_id and any(member.id == winner.id for member in state.population.members)
        if not is_mine or head.refit is not None or was_refit(self.repo, state.base, winner.id):
            return None
        return Member(id=winner.id, model=winner.manifest)

    def _quality(
        self, head: Head, member: Member, workspace: Workspace, split: str, limit: int | None = None
    ) -> Measured:
        """Returns what a model is worth on the first ``limit`` examples of a split, or on all."""
        model = LoadedModel.of(
            member.model,
            num_outputs=head.task.output.size,
            programs=self._programs_for(member.model),
            limits=self.repo.limits,
            load=workspace.component,
            bring=workspace.bring,
        )
        feed = split_at(self.repo, self.context, head.task, split, model.input_spec)
        return measure(model, objective_of(head.task), feed, limit=limit)

    def _programs_for(self, model: Model) -> Programs:
        """Returns what runs a model: the programs of the preset, or others where the model is of another family."""
        if model.architecture.name == self.preset.architecture.name:
            return self.programs
        family, own = family_named(model.architecture.name), self.programs
        return Programs(family=family, layout=own.layout, precision=own.precision)

    def account_of(self, state: IterationState) -> Run:
        """Returns what a commit says of how an iteration was run here, so that it can be repeated."""
        return Run(
            preset=self.preset.name,
            settings=changed_settings(self.preset),
            digest=self.digest,
            seed=state.seed,
            generations=state.generations,
            children=state.children,
            done=state.generation,
            processor=processor(),
            cores=num_cores(),
            device_s=round(state.device_s, 3),
            seen=state.seen,
        )
