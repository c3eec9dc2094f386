"""The rooms of the project and the only ways between them: see CONTRIBUTING.md, "The layers"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EVERYBODY = {"errors", "plugins", "redaction", "scoring", "seeds", "types", "version", "objects"}
BELOW_API = {"presets", "storage", "codec", "repo", "data", "nn", "search", "objectives", "engine", "insight"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "plugins": set(),
    "redaction": set(),
    "scoring": set(),
    "seeds": set(),
    "types": set(),
    "version": set(),
    "objects": set(),
    "npz": set(),
    "storage": set(),
    "codec": set(),
    "repo": {"storage", "codec"},
    "data": {"npz"},
    "nn": {"npz"},
    "search": set(),
    "presets": {"search"},
    "objectives": set(),
    "engine": {"search", "nn", "data", "presets", "objectives"},
    "insight": set(),
    "api": BELOW_API,
    "testing": BELOW_API | {"api"},  # it plays the user
    "mu2net_core": {"api"},  # the front door, mu2net_core/__init__.py
    "mu2net_cli": {"api", "mu2net_core"},
}
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
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "mu2net_core")


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
    assert rooms <= set(MAY_IMPORT)
