"""The rooms of the project and the only ways between them: see CONTRIBUTING.md, "The layers"."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USERS = sorted(path for folder in ("tests", "docs", "examples") for path in (ROOT / folder).rglob("*.py"))
EVERYBODY = {"errors", "events", "plugins", "redaction", "scoring", "seeds", "version", "objects"}
BELOW_API = {"presets", "storage", "codec", "repo", "data", "nn", "search", "objectives", "engine", "insight"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "events": set(),
    "plugins": set(),
    "redaction": set(),
    "scoring": set(),
    "seeds": set(),
    "version": set(),
    "objects": set(),
    "npz": set(),
    "tensors": set(),
    "tokenizing": set(),
    "storage": set(),
    "codec": set(),
    "repo": {"storage", "codec"},
    "data": {"npz", "tokenizing"},
    "nn": {"npz", "tensors", "tokenizing"},
    "search": set(),
    "presets": {"search"},
    "objectives": set(),
    "engine": {"search", "nn", "data", "presets", "objectives"},
    "insight": set(),
    "api": BELOW_API | {"tokenizing"},
    "testing": BELOW_API | {"api"},  # it plays the user
    "mu2net_core": {"api"},  # the front door, mu2net_core/__init__.py
    "mu2net_cli": {"api", "mu2net_core"},
}
FLOORS: dict[str, dict[str, set[str]]] = {
    "mu2net_core/repo": {
        "core": set(),
        "leases": {"core"},
        "history": {"core"},
        "remotes": {"core", "history"},
        "upkeep": {"core", "history", "leases", "remotes"},
        "exchange": {"core", "history", "remotes", "upkeep"},
        "checking": {"core", "history", "remotes", "exchange"},
        "probing": {"core", "remotes"},
    },
    "mu2net_core/api": {
        "settings": set(),
        "machine": {"settings"},
        "iterations": set(),
        "looking": {"settings", "iterations"},
        "models": {"settings", "machine", "iterations", "looking"},
        "signing": {"settings", "looking"},
        "credits": {"looking", "signing"},
        "sharing": {"settings", "iterations", "looking", "models", "signing"},
        "tasks": {"settings", "looking", "models", "signing"},
        "claiming": {"iterations", "sharing"},
        "evolving": {"settings", "machine", "iterations", "models", "signing", "sharing", "claiming"},
        "pool": {"settings", "iterations", "sharing", "evolving"},
        "upkeep": {"iterations", "sharing", "signing"},
        "setup": {"settings", "machine", "looking", "models", "sharing", "signing"},
        "facade": {
            *("settings", "machine", "iterations", "looking", "models", "signing", "sharing", "tasks", "evolving"),
            *("credits", "upkeep", "setup"),
        },
    },
}
"""The rooms within a room: each may import those named, and the modules that lie beside them all."""

DOORS = ["objects", "storage", "codec", "data", "nn", "search", "presets", "engine", "insight", "objectives"]
DOORS += [f"repo.{room}" for room in FLOORS["mu2net_core/repo"]]
"""Rooms that others enter by what their ``__init__.pyi`` lists, and by nothing else."""

LARGEST_FOLDER = 25

HEAVY = {
    *("numpy", "jax", "jaxlib", "flax", "optax", "zarr", "tensorflow", "tensorflow_datasets", "sklearn", "PIL"),
    "grain",
}
NEVER = {
    "plugins": HEAVY,
    "scoring": HEAVY,
    "search": HEAVY,
    "objects": HEAVY - {"numpy"},
    "repo": HEAVY | {"fsspec"},
    "storage": HEAVY,
    "insight": HEAVY,
    "mu2net_cli": HEAVY | {"fsspec"},
    "engine": {"fsspec", "zarr", "pathlib", "os"},
}


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "mu2net_cli" or parts[1] == "__init__":
        return parts[0]
    return parts[1]


def imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            yield node.module
            yield from (name for alias in node.names if is_module(name := f"{node.module}.{alias.name}"))


@cache
def names_in(source: str) -> tuple[str, ...]:
    """Returns what a file imports; each is read once, though every door asks for it."""
    return tuple(imported_names(ast.parse(source)))


@cache
def is_module(name: str) -> bool:
    """Returns whether a name is a module or a room of the project: ``from x import y`` may import either."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def run_time_only(tree: ast.Module) -> ast.Module:
    """Returns the tree without what stands under ``if TYPE_CHECKING``."""

    class Remover(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
            if ast.unparse(node.test) == "TYPE_CHECKING":
                return node.orelse
            return self.generic_visit(node)

    return Remover().visit(tree)


def modules() -> list[Path]:
    return sorted(p for package in ("mu2net_core", "mu2net_cli") for p in (ROOT / package).rglob("*.py"))


def rooms_imported(tree: ast.Module, rooms: set[str]) -> set[str]:
    names = [name.split(".") for name in imported_names(tree)]
    inner = {parts[1] for parts in names if parts[0] == "mu2net_core" and len(parts) > 1 and parts[1] in rooms}
    front_door = {"mu2net_core"} if ["mu2net_core"] in names else set()
    return inner | front_door | ({"mu2net_cli"} if any(parts[0] == "mu2net_cli" for parts in names) else set())


def wrong_way_imports(path: Path, source: str) -> set[str]:
    room = room_of(path)
    tree = ast.parse(source)
    if room == "mu2net_cli":
        tree = run_time_only(tree)  # the skin may name a type of the core that it only passes on
    return rooms_imported(tree, set(MAY_IMPORT)) - MAY_IMPORT[room] - EVERYBODY - {room}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    wrong = wrong_way_imports(path, path.read_text())
    assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}, which its room must not know"


@pytest.mark.parametrize("path", [p for p in modules() if room_of(p) in NEVER], ids=lambda p: str(p.relative_to(ROOT)))
def test_light_rooms_import_no_heavy_library(path: Path) -> None:
    tree = run_time_only(ast.parse(path.read_text()))
    found = {name.partition(".")[0] for name in imported_names(tree)} & NEVER[room_of(path)]
    assert not found, f"{path.relative_to(ROOT)} imports {sorted(found)}"


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("mu2net_core/repo/x.py", "from mu2net_core.engine.generation import run"),
        ("mu2net_core/engine/x.py", "def f():\n    from mu2net_core.repo import Repository"),
        ("mu2net_core/objects/x.py", "from mu2net_core import api"),
        ("mu2net_core/search/x.py", "import mu2net_core.nn.vit"),
        ("mu2net_cli/commands/x.py", "from mu2net_core.storage import open_store"),
        ("mu2net_core/api/x.py", "import mu2net_cli.main"),
    ],
)
def test_a_wrong_way_import_is_noticed(where: str, source: str) -> None:
    assert wrong_way_imports(ROOT / where, source)


def test_every_room_is_known() -> None:
    rooms = {room_of(path) for path in modules()}
    assert rooms == set(MAY_IMPORT)


def inner_room(path: Path, floor: str) -> str:
    """Returns in which room of a floor a file lies; the empty string beside them."""
    parts = path.relative_to(ROOT / floor).parts
    return parts[0] if len(parts) > 1 else ""


def wrong_inner_imports(path: Path, source: str, floor: str) -> set[str]:
    """Returns the rooms of the same floor that a file imports from and must not know."""
    names = (name.split(".") for name in names_in(source))
    depth = len(Path(floor).parts)
    rooms = {parts[depth] for parts in names if "/".join(parts[:depth]) == floor and len(parts) > depth}
    room = inner_room(path, floor)
    return (rooms & set(FLOORS[floor])) - FLOORS[floor].get(room, set(FLOORS[floor])) - {room}


@pytest.mark.parametrize("floor", FLOORS)
def test_within_a_room_imports_run_one_way_too(floor: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in sorted((ROOT / floor).rglob("*.py"))
        if inner_room(path, floor) and (found := wrong_inner_imports(path, path.read_text(), floor))
    }
    assert not wrong
    assert {path.parent.name for path in (ROOT / floor).glob("*/__init__.py")} == set(FLOORS[floor])


@pytest.mark.parametrize("rooms", [MAY_IMPORT, *FLOORS.values()])
def test_no_rooms_stand_in_a_circle(rooms: dict[str, set[str]]) -> None:
    assert set(TopologicalSorter(rooms).static_order()) >= set(rooms)


def past_the_door(path: Path, source: str, door: str) -> set[str]:
    """Returns the modules of a room that a file outside it imports from, though it has a door."""
    if path.is_relative_to(ROOT / "mu2net_core" / door.replace(".", "/")):
        return set()
    return {name for name in names_in(source) if name.startswith(f"mu2net_core.{door}.")}


@pytest.mark.parametrize("door", DOORS)
def test_rooms_are_entered_by_their_doors(door: str) -> None:
    everybody = [*modules(), *(ROOT / "examples" / "plugin").rglob("*.py")]
    found = {str(path.relative_to(ROOT)): past_the_door(path, path.read_text(), door) for path in everybody}
    past = {path: names for path, names in found.items() if names}
    assert not past, "import these names from the room itself, and list them in its __init__.pyi"


@pytest.mark.parametrize("door", DOORS)
def test_a_door_gives_what_it_lists_and_others_use(door: str) -> None:
    room = import_module(f"mu2net_core.{door}")
    assert all(hasattr(room, name) for name in room.__all__)
    folder = Path(str(room.__file__)).parent
    assert not {path.stem for path in folder.iterdir()} & set(room.__all__), "a module of that name would hide it"
    users = [path.read_text() for path in chain(modules(), USERS) if not path.is_relative_to(folder)]
    doors = (f"mu2net_core.{door}", f"mu2net_core.{door.partition('.')[0]}")
    assert set(room.__all__) <= {name for text in users for name in names_taken(text, doors)}


def names_taken(source: str, modules: Sequence[str]) -> Iterator[str]:
    """Returns what a file imports from some modules."""
    return (name for module, name in taken_in(source) if module in modules)


@cache
def taken_in(source: str) -> tuple[tuple[str | None, str], ...]:
    """Returns what a file imports by ``from``: the module, and the name in it."""
    found = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom))
    return tuple((node.module, alias.name) for node in found for alias in node.names)


def test_no_folder_has_more_modules_than_one_can_look_over() -> None:
    folders = {path.parent for path in modules()}
    sizes = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) - 1 for folder in folders}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FOLDER} == {}


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("mu2net_core/repo/core/x.py", "from mu2net_core.repo.exchange import fetch"),
        ("mu2net_core/repo/core/x.py", "from mu2net_core.repo import exchange"),
        ("mu2net_core/repo/upkeep/x.py", "def f():\n    import mu2net_core.repo.checking"),
    ],
)
def test_a_wrong_way_within_a_room_is_noticed(where: str, source: str) -> None:
    assert wrong_inner_imports(ROOT / where, source, "mu2net_core/repo")


@pytest.mark.parametrize(
    "source",
    [
        "import mu2net_core.storage.local",
        "from mu2net_core.storage.local import LocalStore",
        "from mu2net_core.storage import local",
    ],
)
def test_a_way_past_a_door_is_noticed(source: str) -> None:
    assert past_the_door(ROOT / "mu2net_core/api/x.py", source, "storage")
