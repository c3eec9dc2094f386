"""The root of a task's preset, in repositories whose tasks have presets of their own: the same in every copy."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.repo.history import check_new_name

__all__ = ["FirstRoot", "first_root", "root_of"]

_SEED = 0
"""Of all such roots: whoever makes the root of a preset makes the same one, and what grows from it fits together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRoot:
    """A root that was made for a task.

    Attributes:
        name: of the root.
        root_id: of its model.
        num_params: numbers in it.
    """

    name: str
    root_id: str
    num_params: int


def root_of(repo: Repository, preset: Preset) -> str | None:
    """Returns the name of a root here that first models of ``preset`` can come from, None if there is none."""
    roots = ((name, repo.objects.model(oid)) for name, oid in sorted(repo.refs.roots().items()))
    return next((name for name, model in roots if model.architecture == preset.architecture), None)


def first_root(repo: Repository, preset: Preset) -> FirstRoot | None:
    """Makes the root of ``preset``, which no setting changes, and returns it; None if there is one already.

    A part of its id is in its name: should versions of mu2net make it otherwise, copies have both, and no conflict.

    Raises:
        InvalidInputError: it is larger than the limits allow, or its name is taken.
    """
    if root_of(repo, preset) is not None:
        return None
    from mu2net_core.api.models.roots import store_root  # jax comes along
    from mu2net_core.api.settings.buildable import check_buildable

    check_buildable(preset, repo.limits)
    root_id, model = store_root(repo, preset, seed=_SEED, pretrained=None)
    name = f"{preset.name}-{root_id[:8]}"
    repo.refs.create_root(check_new_name(repo, name, "root"), root_id)
    return FirstRoot(name=name, root_id=root_id, num_params=sum(ref.num_params for ref in model.components))
