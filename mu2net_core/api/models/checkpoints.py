"""Where the checkpoints lie that roots are made from: a file or folder here, a URL, or the name of a public one.

What comes from a URL is kept in the user's cache folder, by URL, so that it comes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mu2net_core.api.context import Context, cache_folder
from mu2net_core.api.models.hub import cached_model, is_hub_name, name_in_cache
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.nn import SAFETENSORS, check_no_pickle
from mu2net_core.objects import Limits, hash_bytes
from mu2net_core.redaction import shown
from mu2net_core.repo.remotes import Progress, Watch
from mu2net_core.storage import check_no_secret

__all__ = ["CHECKPOINTS", "LocalCheckpoint", "local_checkpoint"]

_AUGREG = "https://storage.googleapis.com/vit_models/augreg"
CHECKPOINTS: Mapping[str, str] = {
    "augreg:Ti_16": f"{_AUGREG}/Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0.npz",
    "augreg:S_16": f"{_AUGREG}/S_16-i21k-300ep-lr_0.001-aug_light1-wd_0.03-do_0.0-sd_0.0.npz",
    "augreg:B_16": f"{_AUGREG}/B_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.0-sd_0.0.npz",
    "augreg:L_16": f"{_AUGREG}/L_16-i21k-300ep-lr_0.001-aug_strong1-wd_0.1-do_0.0-sd_0.0.npz",
}
"""Public checkpoints by name, trained on ImageNet-21k for 300 epochs with augmentation and regularisation.

For each size the file that README.md of github.com/google-research/vision_transformer recommends, under "Available ViT
models": the one with the best metrics before fine-tuning. The bucket is public: gs://vit_models/augreg.
"""

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCheckpoint:
    """A checkpoint on this machine.

    Attributes:
        path: of the file, or of the folder of a model of Hugging Face or timm.
        source: where it came from, as others may know it: a name, a URL without secrets, or a file's name.
        is_copy: whether it lies in our cache.
    """

    path: Path
    source: str
    is_copy: bool

    @property
    def is_archive(self) -> bool:
        """Whether it is a NumPy archive; else it is a model that safetensors hold."""
        return not self.path.is_dir() and self.path.suffix != SAFETENSORS


def local_checkpoint(root: str, context: Context, *, limits: Limits, progress: Watch | None = None) -> LocalCheckpoint:
    """Returns the checkpoint that ``root`` names; a URL is fetched if it was not fetched before.

    Args:
        root: a path, relative to the working folder; a URL of a NumPy archive; a name in ``CHECKPOINTS``; or the name
            of a model that is in the cache of Hugging Face.
        context: of this process.
        limits: how large it may be.
        progress: told how far the transfer is.

    Raises:
        NotFoundError: there is no such file or name.
        InvalidInputError: it is a pickle, or a URL of safetensors, which are nothing without their config.
        StorageError, AccessDeniedError, CorruptObjectError: as ``download`` says.
    """
    url = CHECKPOINTS.get(root, root)
    if url.lower().startswith("file://"):
        url = unquote(urlsplit(url).path)
    if not _URL.match(url):
        check_no_secret(root, what="root")
        return _here(root, context.cwd / Path(url).expanduser(), context)
    _check_is_archive(url)
    target = _place(url, context)
    if not target.is_file():
        _fetch(root, url, target, limits=limits, progress=progress)
    return LocalCheckpoint(path=target, source=root if root in CHECKPOINTS else shown(url), is_copy=True)


def _here(root: str, path: Path, context: Context) -> LocalCheckpoint:
    if path.is_dir():
        return LocalCheckpoint(path=path, source=_name_of_folder(path), is_copy=False)
    if path.is_file():
        check_no_pickle(str(path))
        return LocalCheckpoint(path=path, source=path.name, is_copy=False)
    if (cached := cached_model(root, context)) is not None:
        return LocalCheckpoint(path=cached, source=root, is_copy=False)
    hint = f"Expected 'random', a checkpoint's file, folder or URL, or one of {', '.join(CHECKPOINTS)}."
    if is_hub_name(root):
        hint = f"Get it: hf download {root} --local-dir {root}  Then run the same command again, here."
    raise NotFoundError(f"Cannot start from the root {root!r}: there is no file or folder {path}.", hint=hint)


def _name_of_folder(path: Path) -> str:
    """Returns what others may know of a folder's path: its name; in the cache of Hugging Face, that of the model."""
    path = path.resolve()
    return name_in_cache(path) or path.name or "folder"


def _check_is_archive(url: str) -> None:
    name = shown(url)
    check_no_pickle(name)
    if name.endswith(SAFETENSORS):
        raise InvalidInputError(
            f"Cannot start from {name}: safetensors say nothing without the config.json beside them.",
            hint="Bring the whole folder: hf download NAME --local-dir FOLDER. Then: --root FOLDER",
        )


def _place(url: str, context: Context) -> Path:
    name = _UNSAFE.sub("_", shown(url).rstrip("/").rpartition("/")[2])[-200:]
    return cache_folder(context) / "checkpoints" / hash_bytes(url.encode())[:16] / (name.lstrip(".") or "checkpoint")


def _fetch(root: str, url: str, target: Path, *, limits: Limits, progress: Watch | None) -> None:
    from mu2net_core.storage import download  # fsspec takes 0.1 s to import

    def told(done: int, total: int | None) -> None:
        if progress is not None:
            arrived = int(done == total)
            progress(
                Progress(what=target.name, num_objects=arrived, size_bytes=done, total_objects=1, total_bytes=total)
            )

    try:
        download(url, target, limit=limits.checkpoint_bytes, progress=told)
    except Mu2netError as exc:
        of_name = f" {root} is {url}." if root in CHECKPOINTS else ""
        elsewhere = f"Or get the file in another way and put it at {target}, or name it: --root PATH."
        raise type(exc)(f"{exc.message}{of_name}", hint=f"{exc.hint or ''} {elsewhere}".strip()) from exc
