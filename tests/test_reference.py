"""docs/reference.md: the settings that its tables name are in ``conf/base``."""

from __future__ import annotations

import re
from pathlib import Path

from omegaconf import OmegaConf

from borderline.params import flat

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/reference.md").read_text()
FILES = "csv|html|md|png|yml"


def settings() -> set[str]:
    """The dotted names in ``conf/base``, with those of its optional entries, and their groups."""
    names: set[str] = set()
    for file in [*ROOT.glob("conf/base/parameters*.yml"), ROOT / "conf/base/globals.yml"]:
        # An optional entry of globals.yml is a comment.
        text = re.sub(r"^( *)# (\w+:)", r"\1\2", file.read_text(), flags=re.M)
        for name, _ in flat(OmegaConf.to_container(OmegaConf.create(text))):
            parts = name.split(".")
            names |= {".".join(parts[: i + 1]) for i in range(len(parts))}
    return names


def named(cell: str) -> set[str]:
    """The dotted names in the code of a cell, such as ``gan.loss`` of ``gan.loss: wgan_gp``."""
    code = " ".join(re.findall(r"`([^`]*)`", cell))
    return set(re.findall(rf"(?<![\w./])(?!\w+\.(?:{FILES})\b)[a-z]\w*(?:\.\w+)+", code))


def test_settings_of_the_tables_exist() -> None:
    rows = [line.split(" | ") for line in TEXT.splitlines() if line.startswith("|")]
    sure = [row for row in rows if "<!-- check -->" not in row[-1]]
    names = set().union(*(named(row[-1]) for row in sure))
    assert len(names) > 60
    assert names <= settings(), sorted(names - settings())
