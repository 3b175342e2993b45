"""The nodes of the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas import DataFrame

    from borderline.grid import Grid
    from borderline.params import RunParams
    from borderline.pipelines.gate.params import GateParams


def replay_suites(
    gate_suites: Mapping[str, Mapping[str, bytes]],
    pair_names: dict[str, str],
    *,
    grid: Grid,
    confident: float,
    run: RunParams,
    **models: Any,
) -> DataFrame:
    """The measures of all models on all suites; ``confident`` is that of the tipping."""
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.gate.replay import replay_all
    from borderline.suites.fitting import check_classes
    from borderline.suites.folder import suites_of

    suites = suites_of(gate_suites)
    for folder, suite in suites.items():
        check_classes(suite, folder, ClassNames.of(pair_names))
    later = {m: (models[f"{m}.classifier"], models[f"{m}.boundary"]) for m in grid.models}
    return replay_all(later, suites, confident=confident, device=run.torch_device())


def check_limits(
    replayed_suites_table: DataFrame | None = None,
    *,
    grid: Grid,
    gate: GateParams,
    **findings: dict[str, Any],
) -> DataFrame:
    """Check all limits for all models; a hook ends the run with status 3 where one is broken."""
    from borderline.findings import Findings
    from borderline.pipelines.gate.limits import check
    from borderline.pipelines.gate.suite_limits import check_replays

    models = grid.models if gate.has_limits else ()
    by_model = {model: Findings.read(findings[f"{model}.findings"]) for model in models}
    replays = replayed_suites_table
    return check(by_model, gate, None if replays is None else check_replays(replays, gate))
