"""What happens during an evolution, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mu2net_cli.printing.render import duration
from mu2net_cli.watching.telling import line_of
from mu2net_core.engine.cycle import schedule_of
from mu2net_core.events import Compiled, Compiling, IterationDropped, IterationsQueued, RefitStarted, RefitStepsFinished
from mu2net_core.presets import TrainingConfig
from mu2net_core.testing.building.happenings import (
    BEGUN,
    FINISHED,
    GENERATION,
    PUSHED,
    RESUMED,
    SAMPLED,
    SCHEDULE,
    child,
    cycle,
    steps,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_short(seconds, text) -> None:
    assert duration(seconds) == text


HOW = "each child 4 cycles of 34 steps of 32 examples (1078 in all); seed 7"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (BEGUN, f"digits: iteration 1: 3 generations of 4 children; {HOW}"),
        (RESUMED, f"digits: iteration 1: 3 generations of 4 children, resuming after 2; {HOW}"),
        (
            GENERATION,
            "digits: generation 1: best validation 91.25%; 3 kept and 1 discarded so far (10 s, about 1 min 10 s left)",
        ),
        (
            FINISHED,
            "digits: iteration 1 finished: validation 95.00%, test 94.31%, improved (33 s, commit ababababab)",
        ),
        (
            replace(FINISHED, done=2),
            "digits: iteration 1 finished after 2 of 3 generations, when time was up: validation 95.00%, test 94.31%, "
            "improved (33 s, commit ababababab)",
        ),
        (
            IterationDropped(task="digits", iteration=1, generations=2),
            "warning: digits: dropped 2 finished generations of iteration 1, which begins anew",
        ),
        (
            IterationsQueued(unfinished=("dup", "b"), then=("a", "dup", "a")),
            "Unfinished iterations go first: dup, b. Then: a (2 iterations), dup.",
        ),
        (SAMPLED, None),
        (PUSHED, None),
        (steps(240), None),
        (cycle(0), None),
        (child(0), None),
        (Compiling(what="train"), None),
        (Compiled(what="train", wall_s=1.5), None),
    ],
)
def test_a_pipe_gets_a_line_per_generation_and_iteration(event, line) -> None:
    assert line_of(event) == line


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (steps(240), "digits: generation 1, child 1: step 240 of cycle 1, loss 0.7"),
        (cycle(1, 2, 0.25), "digits: generation 1, child 3: validation 25.00% after cycle 2"),
        (child(1), "digits: generation 1, child 2: validation 50.00%, kept"),
        (child(1, score=0.45), "digits: generation 1, child 2: validation 50.00%, score 45.00%, kept"),
        (child(2, "nan", None, None), "digits: generation 1, child 3: validation -, discarded: not finite"),
        (Compiled(what="train", wall_s=1.5), "compiled train in 1.5 s"),
        (
            RefitStarted(task="digits", iteration=1, examples=1438, steps=960),
            "digits: trained once more, on all 1438 examples, 960 steps",
        ),
        (RefitStepsFinished(task="digits", iteration=1, steps=96), "digits: trained once more, step 96"),
        (PUSHED, "digits: pushed to origin: updated"),
        (replace(PUSHED, outcome="failed"), "digits: push to origin failed"),
    ],
)
def test_verbose_lines_tell_of_steps_cycles_children_compilations_refits_and_pushes(event, line) -> None:
    assert line_of(event, verbose=True) == line


def test_schedules_are_those_of_training() -> None:
    assert schedule_of(1078, TrainingConfig(batch_size=32)) == SCHEDULE
