"""Roots from folders of Hugging Face and timm: where they are looked for, and what is made of them."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

from mu2net_core.api.models.add_root import add_root
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.setup.init import init
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import CorruptObjectError, InvalidInputError, NotFoundError
from mu2net_core.repo import load_system, open_repository
from mu2net_core.testing.building.published import seeded_tensors, vit_config, vit_shapes, write_model

MINI = {"preset": "vit-mini"}
NAME = "google/vit-mini"
REVISION = "0123456789" * 4


def published(folder: Path, *, preparation=None, num_files: int = 1, **sizes: int) -> Path:
    """Writes a ViT of the sizes of ``vit-mini``, but for ``sizes``."""
    tensors = seeded_tensors(vit_shapes(**sizes), 1)
    config = vit_config(hidden_size=sizes.get("width", 96), num_hidden_layers=sizes.get("blocks", 1))
    return write_model(folder, config, tensors, preparation=preparation, num_files=num_files)


def in_cache(cache: Path) -> Path:
    """Writes the same as Hugging Face's tools keep it: files are links to what lies beside, by hash."""
    place = cache / f"models--{NAME.replace('/', '--')}"
    published(place / "blobs")
    folder = place / "snapshots" / REVISION
    folder.mkdir(parents=True)
    for file in (place / "blobs").iterdir():
        (folder / file.name).symlink_to(Path("../../blobs") / file.name)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(REVISION)
    return folder


def test_a_root_of_a_folder_computes_as_its_config_says_and_records_where_it_is_from(world, tmp_path: Path) -> None:
    here = world()
    folder = published(tmp_path / "vit", preparation={"image_mean": [0.5] * 3, "image_std": [0.25] * 3})
    made = init(Path("repo"), here.context, root="vit", **MINI)
    repo = open_repository(made.path)
    root = load_system(repo).roots[made.root_id]
    assert (root.architecture.config["gelu"], root.architecture.config["epsilon"]) == ("erf", 1e-12)
    block, patches = (repo.objects.component(root.component(name).id) for name in ("encoderblock_0", "patch_embedding"))
    assert (block.config["gelu"], block.config["epsilon"]) == ("erf", 1e-12)
    theirs = seeded_tensors(vit_shapes(), 1)["vit.embeddings.patch_embeddings.projection.weight"]
    np.testing.assert_allclose(patches.params["kernel"], 2 * theirs.transpose(2, 3, 1, 0), rtol=1e-6)
    files = sorted(path.name for path in folder.iterdir())
    assert len(files) == 3
    listed = "".join(f"{blake3((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files)
    assert (root.origin.source, root.origin.blake3) == ("vit", blake3(listed.encode()).hexdigest())
    assert fsck(repo, here.context).problems == ()


def test_a_child_of_such_a_root_is_stored_and_evaluated_as_it_was_trained(world, tmp_path: Path) -> None:
    here = world()
    published(tmp_path / "vit")
    repo = open_repository(init(Path("repo"), here.context, root="vit", **MINI).path)
    add_task(repo, here.context, "sklearn:digits")
    here.evolve(repo, seed=1, generations=1, children=1)
    (head,) = load_system(repo).heads.values()
    assert head.model.architecture.config["gelu"] == "erf"
    assert repo.objects.component(head.model.component("encoder_norm").id).config["epsilon"] == 1e-12
    assert evaluate(repo, here.context, "digits").quality == head.model.test_quality


def test_a_file_of_safetensors_is_the_folder_it_lies_in(world, tmp_path: Path) -> None:
    here = world()
    published(tmp_path / "vit")
    first = init(Path("a"), here.context, root="vit", **MINI)
    second = init(Path("b"), here.context, root="vit/model.safetensors", **MINI)
    layers = [
        [ref.id for ref in load_system(open_repository(made.path)).roots[made.root_id].components]
        for made in (first, second)
    ]
    assert layers[0] == layers[1]


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_a_model_in_the_cache_of_hugging_face_is_found_by_its_name(variable: str, world, tmp_path: Path) -> None:
    below = {"HF_HOME": "hub", "HF_HUB_CACHE": "", "XDG_CACHE_HOME": "huggingface/hub"}[variable]
    here = world(**{variable: str(tmp_path / "cache")})
    folder = in_cache(tmp_path / "cache" / below)
    made = init(Path("a"), here.context, root=NAME, **MINI)
    by_path = init(Path("b"), here.context, root=str(folder), **MINI)
    assert made.root_id == by_path.root_id
    assert made.origin is not None
    assert made.origin.source == NAME


def test_a_link_out_of_the_models_part_of_the_cache_is_not_followed(world, tmp_path: Path) -> None:
    here = world(HF_HOME=str(tmp_path / "cache"))
    folder = in_cache(tmp_path / "cache" / "hub")
    (tmp_path / "elsewhere.json").write_text("{}")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(InvalidInputError, match=r"config.json is a link to a file outside"):
        init(Path("a"), here.context, root=NAME, **MINI)


@pytest.mark.parametrize("revision", ["", "../../../x", "f" * 40, "\xff"])
def test_a_name_that_is_nowhere_here_says_how_to_get_it_and_then_works(revision: str, world, tmp_path: Path) -> None:
    here = world(HF_HOME=str(tmp_path / "cache"))
    folder = in_cache(tmp_path / "cache" / "hub")
    (folder.parents[1] / "refs" / "main").write_text(revision)
    with pytest.raises(NotFoundError, match="there is no file or folder") as caught:
        init(Path("repo"), here.context, root=NAME, **MINI)
    assert not (tmp_path / "repo").exists()
    assert f"hf download {NAME} --local-dir {NAME}" in str(caught.value.hint)
    published(tmp_path / NAME)
    assert init(Path("repo"), here.context, root=NAME, **MINI).origin is not None


@pytest.mark.parametrize("root", ["model.bin", "x.PT", "a/model.pth", "https://example.org/model.ckpt"])
def test_pickles_are_refused_wherever_they_are_and_never_read(root: str, world, tmp_path: Path) -> None:
    here = world()
    (tmp_path / "a").mkdir()
    for name in ("model.bin", "x.PT", "a/model.pth"):
        (tmp_path / name).write_bytes(b"cos\nsystem\n(S'touch /tmp/mu2net-was-here'\ntR.")
    with pytest.raises(InvalidInputError, match="it is a pickle, and reading one runs the code") as caught:
        init(Path("repo"), here.context, root=root, **MINI)
    assert "safetensors" in str(caught.value.hint)
    assert not Path("/tmp/mu2net-was-here").exists()


def test_safetensors_by_url_are_refused_as_they_come_without_their_config(world) -> None:
    with pytest.raises(InvalidInputError, match=r"without the config.json"):
        init(Path("repo"), world().context, root="https://example.org/model.safetensors", **MINI)


def test_a_model_of_other_sizes_says_which_preset_fits_and_that_one_does(world, tmp_path: Path) -> None:
    here = world()
    published(tmp_path / "vit", width=48, mlp=64, patch=4, blocks=2)
    context = replace(here.context, user_config=tmp_path / "config.toml", environ={})
    with pytest.raises(InvalidInputError, match="patch 4 instead of 2, width 48 instead of 96, mlp 64 inst") as caught:
        init(Path("repo"), context, root="vit", **MINI)
    assert not (tmp_path / "repo").exists()
    line = str(caught.value.hint).partition("the line  ")[2].partition("  at the top")[0]
    assert tomllib.loads(line)["presets"]["mine"]["base"] == "vit-mini"
    (tmp_path / "config.toml").write_text(line)
    made = init(Path("repo"), context, preset="mine", root="vit")
    assert load_system(open_repository(made.path)).roots[made.root_id].component("encoderblock_1") is not None


def test_a_convnet_has_no_such_roots(world, tmp_path: Path) -> None:
    published(tmp_path / "vit")
    with pytest.raises(InvalidInputError, match="it is a Hugging Face ViT, and convnet-8 is a convnet"):
        init(Path("repo"), replace(world().context, environ={}), preset="convnet-8", root="vit")


def test_a_broken_model_leaves_the_roots_as_they_were(planted, tmp_path: Path) -> None:
    folder = published(tmp_path / "vit")
    (folder / "model.safetensors").write_bytes(b"<html>")
    repo = planted.open()
    before = dict(repo.refs.roots())
    with pytest.raises(CorruptObjectError, match="as safetensors"):
        add_root(repo, planted.context, "x", root=str(folder))
    assert dict(repo.refs.roots()) == before
    assert fsck(repo, planted.context).problems == ()
