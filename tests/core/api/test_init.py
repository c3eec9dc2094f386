from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import pytest

from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.api.setup.init import init
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from mu2net_core.repo import create_repository, load_system, open_repository
from mu2net_core.repo.core.database import ObjectDatabase


def test_a_new_repository_has_a_root_that_belongs_to_no_task(world) -> None:
    here = world()
    made = init(Path("repo"), here.context, preset="vit-mini")
    repo = open_repository(made.path)
    assert made.worktree == here.folder / "repo"
    assert made.path == made.worktree / ".mu2net"
    assert (made.preset, repo.config.preset) == ("vit-mini", "vit-mini")
    assert dict(repo.refs.roots()) == {"default": made.root_id}
    root = load_system(repo).roots[made.root_id]
    assert root.task is None
    assert made.num_components == len(root.components)
    assert made.num_params == sum(repo.objects.component(ref.id).num_params for ref in root.components)
    assert "head" not in [ref.name for ref in root.components]
    assert fsck(repo, here.context).problems == ()


def test_the_root_depends_on_the_seed_alone(world) -> None:
    here = world()
    ids = [
        init(Path(name), here.context, preset="vit-mini", seed=seed).root_id
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_settings_of_the_user_shape_the_root(world) -> None:
    here = world(MU2NET_SPACE_NUM_LAYERS="[0, 2]", MU2NET_DEFAULT_NUM_LAYERS="2", MU2NET_DEFAULT_MOMENTUM="0.8")
    made = init(Path("repo"), here.context, preset="vit-mini")
    root = load_system(open_repository(made.path)).roots[made.root_id]
    assert root.hyperparameters["momentum"] == 0.8
    assert root.component("encoderblock_1") is not None


def test_a_bare_repository_is_the_folder_itself(world) -> None:
    here = world()
    made = init(Path("bare"), here.context, preset="vit-mini", bare=True)
    assert made.path == here.folder / "bare"
    assert not (made.path / ".mu2net").exists()
    assert load_system(open_repository(made.path)).roots


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"preset": "vit-huge"}, NotFoundError, "vit-mini"),
        ({"preset": "vit-ti0", "root": "imagenet"}, NotFoundError, "the root 'imagenet'.*Expected 'random', a chec"),
        ({"root": "augreg:Ti_16"}, InvalidInputError, "roots come with tasks, always the same"),
        ({"seed": 1}, InvalidInputError, "roots come with tasks, always the same"),
    ],
)
def test_what_cannot_be_made_leaves_nothing_behind(world, options, error, complaint: str) -> None:
    here = world()
    with pytest.raises(error, match=f"(?s){complaint}"):
        init(Path("repo"), here.context, **options)
    assert not (here.folder / "repo").exists()


def test_a_repository_is_made_once(world) -> None:
    here = world()
    made = init(Path("repo"), here.context, preset="vit-mini")
    with pytest.raises(AlreadyExistsError):
        init(Path("repo"), here.context, preset="vit-mini", seed=5)
    assert open_repository(made.path).refs.roots() == {"default": made.root_id}


@pytest.mark.parametrize("bare", [False, True])
def test_an_init_that_was_interrupted_is_finished_by_running_it_again(
    world, monkeypatch: pytest.MonkeyPatch, bare: bool
) -> None:
    here = world()
    whole = init(Path("whole"), here.context, preset="vit-mini")
    stored = []
    real = ObjectDatabase.put_component

    def interrupted(self, component):
        stored.append(component.name)
        if len(stored) == 3:
            raise KeyboardInterrupt
        return real(self, component)

    monkeypatch.setattr(ObjectDatabase, "put_component", interrupted)
    with pytest.raises(KeyboardInterrupt):
        init(Path("repo"), here.context, preset="vit-mini", bare=bare)
    made = init(Path("repo"), here.context, preset="vit-mini", bare=bare)
    assert made.root_id == whole.root_id
    assert fsck(open_repository(made.path), here.context).problems == ()


def test_an_interrupted_init_is_not_finished_with_another_preset(world) -> None:
    here = world()
    create_repository(here.folder / "repo", preset="vit-ti0")
    with pytest.raises(AlreadyExistsError):
        init(Path("repo"), here.context, preset="vit-mini")


def test_a_cache_that_cannot_be_written_is_told_once_and_not_used(world, monkeypatch: pytest.MonkeyPatch) -> None:
    told, used = [], {}
    monkeypatch.setattr(jax.config, "update", used.__setitem__)
    here = world()
    (here.folder / "file").write_text("in the way")
    context = replace(here.context, environ={"MU2NET_CACHE_DIR": str(here.folder / "file")}, warn=told.append)
    prepare_jax(context)
    prepare_jax(context)
    assert used["jax_compilation_cache_dir"] is None
    (warning,) = told
    assert f"cannot write to {here.folder / 'file' / 'xla'}" in warning
    prepare_jax(here.context)
    assert used["jax_compilation_cache_dir"].endswith("xla")
