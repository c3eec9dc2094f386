"""What to do about models that learn nothing."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.advice import Advice, advice_on, more_steps
from mu2net_core.engine.cycle import schedule_of
from mu2net_core.events import Schedule
from mu2net_core.presets import TrainingConfig
from mu2net_core.testing.building.happenings import BEGUN, FINISHED, GENERATION, RESUMED, SAMPLED, SCHEDULE

ONE_STEP = Schedule(examples=240, batch=240, steps=1, cycles=4)


@pytest.mark.parametrize(
    ("event", "warning", "hint"),
    [
        (
            replace(BEGUN, schedule=ONE_STEP),
            "digits: a training cycle is only 1 gradient step on 240 of 240 examples",
            "a child is trained for 4 steps; for more of them: mu2net -C here config set evolve.batch_size 8",
        ),
        (
            replace(FINISHED, only_class="cat", at_chance=True, schedule=ONE_STEP),
            "digits: the model says 'cat' of every test example",
            "a child is trained for 4 steps; for more of them: mu2net -C here config set evolve.batch_size 8",
        ),
        (
            replace(FINISHED, at_chance=True),
            "digits: the model is no better than always saying one class",
            "a child is trained for 136 steps; for more of them: mu2net -C here evolve --task digits --validations 16",
        ),
        (
            replace(FINISHED, at_chance=True, schedule=replace(SCHEDULE, steps=1000)),
            "digits: the model is no better than always saying one class",
            "a child is trained for 4000 steps; for more children: mu2net -C here evolve --task digits --generations 6",
        ),
    ],
)
def test_models_that_learn_nothing_are_warned_of_with_what_gives_them_more_steps(
    context: Context, event, warning: str, hint: str
) -> None:
    assert advice_on(event, replace(context, program="mu2net -C here")) == Advice(warning=warning, hint=hint)


@pytest.mark.parametrize("event", [BEGUN, replace(RESUMED, schedule=ONE_STEP), FINISHED, GENERATION, SAMPLED])
def test_there_is_no_warning_where_there_is_nothing_to_do(context: Context, event) -> None:
    assert advice_on(event, context) is None


@pytest.mark.parametrize("environ", [{}, {"MU2NET_EVOLVE_BATCH_SIZE": "512"}])
@pytest.mark.parametrize("batch_size", [512, 32, 1])
@pytest.mark.parametrize("num_examples", [1, 2, 24, 240, 4000, 60000])
def test_the_command_that_promises_more_steps_gives_more_steps(
    context: Context, num_examples: int, batch_size: int, environ: dict[str, str]
) -> None:
    config = TrainingConfig(batch_size=batch_size, samples_cap=51200)
    before = schedule_of(num_examples, config)
    words = shlex.split(more_steps("digits", before, replace(context, environ=environ)))
    if words[1] == "config":
        assert not environ  # which would win over the setting
        assert words[:4] == ["mu2net", "config", "set", "evolve.batch_size"]
        changed = replace(config, batch_size=int(words[4]))
    else:
        assert words[:5] == ["mu2net", "evolve", "--task", "digits", "--validations"]
        changed = replace(config, validations=int(words[5]))
    assert schedule_of(num_examples, changed).total_steps > before.total_steps
