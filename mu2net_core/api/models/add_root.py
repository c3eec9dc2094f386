"""``add-root``: one more root model that first models can come from."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.api.context import Context
from mu2net_core.api.models.roots import RANDOM, load_pretrained, store_root
from mu2net_core.api.settings.settings import effective_preset
from mu2net_core.errors import AlreadyExistsError
from mu2net_core.objects import Origin
from mu2net_core.repo import Repository
from mu2net_core.repo.history import check_new_name
from mu2net_core.repo.remotes import Watch

__all__ = ["RootResult", "add_root"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootResult:
    """The root that was added.

    Attributes:
        name: of the root.
        root_id: of its model.
        preset: of the repository, whose architecture it has.
        num_params: numbers in it.
        num_components: layers of it.
        origin: the checkpoint it comes from; None for a random one.
        remarks: what of the checkpoint was not taken as it is.
    """

    name: str
    root_id: str
    preset: str
    num_params: int
    num_components: int
    origin: Origin | None
    remarks: tuple[str, ...]


def add_root(
    repo: Repository, context: Context, name: str, *, root: str = RANDOM, seed: int = 0, progress: Watch | None = None
) -> RootResult:
    """Adds a root model of the repository's preset under ``name``.

    Args:
        repo: where to add it.
        context: of this process.
        name: of the root.
        root: ``random``, a checkpoint's path or URL, a name in ``CHECKPOINTS``, or that of a model of Hugging Face.
        seed: of a random root.
        progress: told how far the transfer of a checkpoint is.

    Raises:
        AlreadyExistsError: there is a root of that name, or the same root under another name.
        InvalidInputError: the name cannot be one or is taken, or the checkpoint does not fit the preset.
        NotFoundError, CorruptObjectError, StorageError, AccessDeniedError: the checkpoint cannot be had.
    """
    roots = repo.refs.roots()
    if name in roots:
        raise AlreadyExistsError(
            f"There is a root {name} already, and roots never change.", hint="Choose another name."
        )
    check_new_name(repo, name, "root")
    preset = effective_preset(repo, context)
    pretrained = load_pretrained(root, preset, context, limits=repo.limits, progress=progress)
    root_id, model = store_root(repo, preset, seed=seed, pretrained=pretrained)
    same = next((other for other, oid in roots.items() if oid == root_id), None)
    if same is not None:
        raise AlreadyExistsError(
            f"The root {same} is this very model, {root_id[:10]}.",
            hint="Use that one, or another --seed or --root.",
        )
    repo.refs.create_root(name, root_id)
    return RootResult(
        name=name,
        root_id=root_id,
        preset=preset.name,
        num_params=sum(ref.num_params for ref in model.components),
        num_components=len(model.components),
        origin=model.origin,
        remarks=pretrained.remarks if pretrained is not None else (),
    )
