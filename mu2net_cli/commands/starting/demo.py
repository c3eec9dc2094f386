"""``mu2net demo``: the commands of a first session, run one after another."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from mu2net_cli.parsing.options import FolderArgument
from mu2net_cli.session import Session, session_of
from mu2net_core.errors import AlreadyExistsError, InternalError

__all__ = ["demo"]

_TASKS = ("sklearn:digits", "sklearn:digits/parity", "sklearn:digits/five-or-more")
_QUICK = {
    "evolve.min_steps": "240",
    "space.structural": "[]",
    "space.num_layers": "[2]",
    "space.num_residual_blocks": "[1]",
}
"""A quarter of the usual steps is enough for these digits, and over within a minute on two cores; and models keep to
the layers of their root, as added ones would need programs of their own."""
_NUM_IMAGES = 20


def demo(
    ctx: typer.Context,
    folder: FolderArgument = None,
    *,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Make every random decision from N.")] = 0,
) -> None:
    """Run the whole main job on small real data.

    Makes a system in a new folder (default: mu2net-demo), teaches it three tasks on scikit-learn's handwritten digits,
    one of them private, looks at it, pushes what is public to a second folder, clones that and compares predictions.
    Every command is shown before it runs. It takes about a minute, most of it for evolution.

    Example: mu2net demo
    """
    session = session_of(ctx)
    home = session.path(folder) if folder else next(_free_names(session.path(Path("mu2net-demo"))))
    if home.exists():
        raise AlreadyExistsError(f"There is a {home} already.", hint="Name a new folder: mu2net demo FOLDER")
    home.mkdir(parents=True)
    _tour(_Shell(session=session, folder=home), seed)


def _tour(shell: _Shell, seed: int) -> None:
    shell.remark(f"The demo lives in {shell.folder}; delete that folder when you are done.")
    shell.remark("It takes about a minute, most of it for evolution; a second time less, as programs are kept.")
    shell.remark("A system, and three tasks on the same images of handwritten digits:")
    shell.mu2net("init", "system")
    system = shell.cd("system")
    *public, private = _TASKS
    for uri in public:
        system.mu2net("add-task", uri)
    system.mu2net("add-task", private, "--private")
    system.remark("Evolution: each task may build on the layers that others trained, but none on the private one's.")
    system.remark(
        "To be quick, steps are fewer than usual, and no layers are added, so that few programs have to be compiled:"
    )
    for setting, value in _QUICK.items():
        system.mu2net("config", "set", setting, value)
    system.mu2net("evolve", "--all", "--seed", str(seed))
    system.remark("What came out, what happened, and where each layer of a model comes from:")
    system.mu2net("leaderboard")
    system.mu2net("log", "--oneline")
    system.mu2net("ancestry", "digits/five-or-more", "--transfer")
    system.remark("Sharing: a remote is a folder that others can reach; the private task stays here.")
    system.mu2net("remote", "add", "origin", "../shared")
    system.mu2net("push")
    system.mu2net("clone", "../shared", "../clone")
    _compare(system)
    shell.remark("Now it is yours: improve it, add your own images, see what stands where. Start with")
    shell.say(f"cd {shlex.quote(str(system.folder))}")
    for args in (("status",), ("evolve", "--all"), ("add-task", "folder:PATH"), ("--help",)):
        shell.say(f"mu2net {shlex.join(args)}")


def _compare(system: _Shell) -> None:
    """Predicts the same images with the original and with the clone, and compares what was printed."""
    from mu2net_core.api.models.demo import write_images

    images = [f"../images/{p.name}" for p in write_images(_TASKS[0], system.folder.parent / "images", _NUM_IMAGES)]
    system.remark("The clone predicts what the original predicts, to the last bit:")
    system.mu2net("eval", "digits")
    original = system.mu2net_to("../original.json", "predict", "digits", *images, "--json")
    clone = system.cd("../clone")
    clone.mu2net("eval", "digits")
    copy = clone.mu2net_to("../clone.json", "predict", "digits", *images, "--json")
    clone.shell("cmp ../original.json ../clone.json && echo identical")
    if original.read_bytes() != copy.read_bytes():
        raise InternalError(f"The clone predicts something else: compare {original} and {copy}.")
    clone.session.say("identical")


def _free_names(path: Path) -> Iterator[Path]:
    """Yields ``path``, then ``path-2`` and so on, those that do not exist."""
    names = (path if number == 1 else path.with_name(f"{path.name}-{number}") for number in range(1, 10_000))
    return (name for name in names if not name.exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shell:
    """Shows a command as a user would type it, then runs it in this process."""

    session: Session
    folder: Path

    def remark(self, text: str) -> None:
        self.session.say("")
        self.session.say(f"# {text}")

    def say(self, text: str) -> None:
        self.session.say(f"  {text}")

    def shell(self, command: str) -> None:
        self.session.say(f"$ {command}")

    def cd(self, folder: str) -> _Shell:
        self.shell(f"cd {folder}")
        return replace(self, folder=Path(os.path.normpath(self.folder / folder)))

    def mu2net(self, *args: str) -> None:
        self.shell(f"mu2net {shlex.join(args)}")
        self._run(*args)

    def mu2net_to(self, target: str, *args: str) -> Path:
        """Runs a command with its output in a file; of many images only the first is shown."""
        images = [arg for arg in args if arg.startswith("../images/")]
        shown = [arg for arg in args if arg not in images]
        self.shell(f"mu2net {shlex.join(shown[:-1])} ../images/*.png {shown[-1]} > {target}")
        path = Path(os.path.normpath(self.folder / target))
        with path.open("w", encoding="utf-8") as file, redirect_stdout(file):
            self._run(*args)
        return path

    def _run(self, *args: str) -> None:
        from mu2net_cli.main import run

        run([*self.session.flags(), "-C", str(self.folder), *args])
