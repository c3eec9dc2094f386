"""Writes docs/settings.md, and the table of presets in docs/method.md, from the code: ``python docs/make_settings.py``.

A test checks that both are current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mu2net_core.api.settings.own import own_defaults
from mu2net_core.api.settings.settings import setting_descriptions
from mu2net_core.api.setup.config import choices
from mu2net_core.presets import ARCHITECTURE, HYPERPARAMETERS, PRESETS, preset_values

TARGET = Path(__file__).with_name("settings.md")
METHOD = Path(__file__).with_name("method.md")
BEGIN, END = "<!-- presets: made by docs/make_settings.py -->\n", "<!-- end of presets -->\n"
_TABLE = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)

HEAD = """\
# Settings

<!-- Made by docs/make_settings.py from the code. Edit the descriptions there instead. -->

`mu2net config list` shows all of them with the values in force, `mu2net config list evolve` those that begin so,
`mu2net config list --origin` where each value comes from: an option, else the environment (`MU2NET_EVOLVE_CHILDREN` for
`evolve.children`), else the repository (`mu2net config set KEY VALUE`), else `config.toml` in your own settings, else
the preset. A value that cannot be right is refused when it is set, and wherever it comes from when it is used.

`data.TASK` says where the data of a task lies on this machine, as `mu2net add-task` takes it.
"""
SECTIONS = {
    "": "Once, when a repository is made",
    "evolve": "How many children, and how each is trained",
    "scorer": "What a model is worth",
    "space": "What evolution may change",
    "default": "What roots begin with",
    "machine": "This machine",
    "limits": "How much is accepted of what others wrote",
    "cache": "Others",
}


def page() -> str:
    """Returns docs/settings.md."""
    return HEAD + "".join(map(_section, SECTIONS)) + "\n## The presets\n\n" + presets_table()


def method_page() -> str:
    """Returns docs/method.md with the table of presets as the code has it."""
    return _TABLE.sub(lambda _: BEGIN + presets_table() + END, METHOD.read_text())


def presets_table() -> str:
    """Returns a row per setting of which people ask first, a column per preset."""
    keys = [f"{ARCHITECTURE}{name}" for name in ("image", "patch", "width", "heads", "mlp")]
    keys += ["default.num_layers", "space.num_layers", "space.image_size"]
    keys += [f"evolve.{name}" for name in ("generations", "children", "validations", "batch_size", "samples_cap")]
    keys += ["evolve.validation_cap", "evolve.probes", "evolve.refit_from", "default.copy_all"]
    keys += ["default.mu", "default.learning_rate", "default.momentum"]
    values = {name: preset_values(preset) for name, preset in PRESETS.items()}
    rows = [[f"`{key}`", *(_shown(found.get(key, "-")) for found in values.values())] for key in keys]
    return _table(["setting", *(f"`{name}`" for name in values)], rows)


def _section(section: str) -> str:
    texts: dict[str, str] = {}
    for preset in PRESETS.values():
        texts |= setting_descriptions(preset)
    keys = [key for key in sorted(texts) if _section_of(key) == section]
    rows = [[f"`{key}`", _cell(texts[key] + _allowed(key)), _default(key)] for key in keys]
    return f"\n## {SECTIONS[section]}\n\n" + _table(["setting", "what it is", "default"], rows)


def _section_of(key: str) -> str:
    section = "" if key == "preset" or key.startswith(ARCHITECTURE) else key.partition(".")[0]
    return "cache" if section in {"commit", "pull", "sign"} else section


def _allowed(key: str) -> str:
    section, _, name = key.partition(".")
    if found := choices(key):
        return f": {', '.join(f'`{choice}`' for choice in found)}"
    return f": {HYPERPARAMETERS[name].expected}" if section == "space" and name in HYPERPARAMETERS else ""


def _default(key: str) -> str:
    if key in (own := own_defaults()):
        return _shown(own[key])
    found = {_shown(values[key]) for preset in PRESETS.values() if key in (values := preset_values(preset))}
    return found.pop() if len(found) == 1 else "by preset" if found else ""


def _shown(value: Any) -> str:
    """Returns a value as TOML has it; long runs of whole numbers and long lists by their ends."""
    if isinstance(value, list) and len(value) > 4:
        return f"{_shown(value[0])}, {_shown(value[1])}, ... {_shown(value[-1])}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    if "--check" in sys.argv:
        current = TARGET.read_text() == page() and METHOD.read_text() == method_page()
        sys.exit(0 if current else "docs/settings.md or docs/method.md is out of date: python docs/make_settings.py")
    TARGET.write_text(page())
    METHOD.write_text(method_page())
