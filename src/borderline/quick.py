"""Quick runs: the settings of an environment under the limits of ``conf/presets/quick.yml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

QUICK = "quick"
"""The preset with the limits, and the end of the name of the images in the paths of quick runs."""
_KINDS = "_kinds"
_SEEDS = ("seeds", "step_2_seeds")
"""The settings of ``grid`` that have an item for each of its ``runs``."""


def quick_name(dataset: str) -> str:
    """The name of the images in the paths of quick runs."""
    return f"{dataset}_{QUICK}"


def lowered(settings: Mapping[str, Any], limits: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings that stay under limits.

    A number is the largest value of a setting, of each item of a list, and of a setting that is
    None, which means no limit. A text replaces the text of a setting, and None each value, which
    leaves the setting out. The limits of a kind, such as ``generator_kinds.gasten``, hold for its
    defaults and for each entry of that kind; there None means a value that is set elsewhere, and
    stays. Repetitions keep the first of their seeds.

    Example:
        >>> lowered({"epochs": 9, "start": [2, 8], "steps": None}, {"epochs": 3, "start": 3})
        {'epochs': 3, 'start': [2, 3], 'steps': None}
    """
    low = _lowered(settings, limits, add=True)
    for group, kinds in limits.items():
        if not group.endswith(_KINDS):
            continue
        single = group.removesuffix(_KINDS)
        if isinstance(settings.get(single), Mapping):
            low[single] = _entry(settings[single], kinds)
        several = settings.get(f"{single}s")
        if isinstance(several, Mapping):
            low[f"{single}s"] = {name: _entry(entry, kinds) for name, entry in several.items()}
    if isinstance(grid := settings.get("grid"), Mapping) and (runs := grid.get("runs")):
        for name in _SEEDS:
            seeds = grid.get(name)
            if isinstance(seeds, list) and len(seeds) == runs:
                low["grid"][name] = seeds[: low["grid"]["runs"]]
    return low


def _entry(entry: Any, kinds: Mapping[str, Any]) -> Any:
    """A model, generator or judge under the limits of its kind."""
    if not isinstance(entry, Mapping):
        return entry
    return _lowered(entry, kinds.get(str(entry.get("kind")), {}), add=False, of_kind=True)


def _lowered(
    settings: Mapping[str, Any], limits: Mapping[str, Any], *, add: bool, of_kind: bool = False
) -> dict[str, Any]:
    """Settings under limits; ``add`` adds the settings that only the limits have."""
    low = dict(settings)
    for name, limit in limits.items():
        value = settings.get(name)
        if name not in settings:
            if add:
                low[name] = limit
        elif isinstance(limit, Mapping):
            within = of_kind or name.endswith(_KINDS)
            if isinstance(value, Mapping):
                low[name] = _lowered(value, limit, add=add, of_kind=within)
        elif value is not None or not of_kind:
            low[name] = _limited(value, limit)
    return low


def _limited(value: Any, limit: Any) -> Any:
    if limit is None:
        return None
    if isinstance(value, list):
        return list(dict.fromkeys(_limited(item, limit) for item in value))
    if value is None or (isinstance(value, str) and isinstance(limit, str)):
        return limit
    return min(value, limit) if _is_number(value) and _is_number(limit) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
