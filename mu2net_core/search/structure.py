"""What the search asks of an architecture: which changes of structure a model can still undergo."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from mu2net_core.objects import Hyperparameter

__all__ = ["Structure"]


class Structure(Protocol):
    """The part of an architecture family that decisions need; it deals in names and numbers only."""

    @property
    def always_trainable(self) -> frozenset[str]:
        """Names of the layers every child trains."""
        ...

    def structural(
        self, config: Mapping[str, Any], hyperparameters: Mapping[str, Hyperparameter], kinds: Collection[str]
    ) -> Mapping[str, Mapping[str, Hyperparameter]]:
        """Returns, by mutation name, the hyperparameters that a change of structure sets.

        For example ``{"add:adapter_1": {"adapter_1": 32}}``. Names begin with ``add:`` for new layers and ``grow:`` for
        larger ones. Where a change sets several hyperparameters, the first is the one a mutation is recorded with.

        Args:
            config: the fixed sizes of the model's architecture.
            hyperparameters: of the model.
            kinds: of change that are enabled.
        """
        ...

    def settled(self, hyperparameters: Mapping[str, Hyperparameter]) -> dict[str, Hyperparameter]:
        """Returns the hyperparameters without the structure of blocks that are not there any more."""
        ...
