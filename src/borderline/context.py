"""The project's context: checks every setting and lays out the grid before anything else."""

from __future__ import annotations

from typing import Any

from kedro.framework.context import KedroContext

from borderline import grid
from borderline.preflight import PairGlobals, check_pair, read_globals, read_parameters


class BorderlineContext(KedroContext):
    """Kedro's context, for the one moment at which configuration is there and pipelines are not.

    A hook would do for ``kedro run``, but ``kedro viz`` leaves hooks out.

    Attributes:
        checked: Every setting, typed.
        about: What the run is about, typed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.about = read_globals(self.config_loader["globals"])
        self.checked = read_parameters(self.config_loader["parameters"])
        filed = self.about.pair.model_dump()
        asked = (self._runtime_params or {}).get("pair", {})
        filed |= {name: asked[name] for name in filed if name in asked}
        check_pair(self.checked.pair, PairGlobals(**filed))
        grid.use(self.checked.grid)
