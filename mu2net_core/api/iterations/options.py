"""What is asked of one evolution: one value, from the command line and from Python down to each iteration."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.errors import InvalidInputError

__all__ = ["EvolveOptions"]

_LARGEST_SEED = 2**53
_OF_AN_ITERATION = ("seed", "generations", "children", "validations")
_SETTINGS = ("generations", "children", "validations")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolveOptions:
    """What is asked of one evolution.

    Attributes:
        iterations: per task.
        generations: per iteration; the repository's setting if None. An interrupted one can be given more.
        children: per generation; likewise.
        validations: training cycles per child; likewise.
        seed: every random decision derives from it; None takes that of an interrupted iteration, or draws one.
        budget_s: no generation is started after so many seconds, but for the first; the iteration at hand then ends
            with the best there is.
        restart: whether interrupted iterations begin anew; what they trained is lost.
        slot: of the agent, where several work in one working copy: each makes other children of the same seed, and has
            unfinished iterations of its own.
        push: whether each task is pushed when an iteration of it is over; a push that fails stops nothing.
    """

    iterations: int = 1
    generations: int | None = None
    children: int | None = None
    validations: int | None = None
    seed: int | None = None
    budget_s: float | None = None
    restart: bool = False
    slot: int = 0
    push: bool = False

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InvalidInputError(f"Expected at least one iteration, got {self.iterations}.")
        if self.seed is not None and abs(self.seed) > _LARGEST_SEED:
            raise InvalidInputError(f"Expected a seed from -2^53 to 2^53, got {self.seed}.")

    @property
    def settings(self) -> dict[str, int | None]:
        """What stands in for settings, by their keys; None where the settings hold."""
        return {f"evolve.{name}": getattr(self, name) for name in _SETTINGS}

    @property
    def words(self) -> str:
        """What is asked of each iteration, as options of the command line, with a space before each."""
        given = ((name, getattr(self, name)) for name in _OF_AN_ITERATION)
        return "".join(f" --{name} {value}" for name, value in given if value is not None)
