"""Every setting of a run and of its environment, and what follows from them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from borderline.datasets.image_source import SMALLEST_IMAGE
from borderline.grid import Grid, Layout, seeds
from borderline.imported.params import ImportedModelParams, Source
from borderline.params import (
    CallParams,
    ConfusionParams,
    OtherRunParams,
    Pairing,
    PairParams,
    Params,
    RunParams,
    TrackingParams,
)
from borderline.pipelines.classifier.params import AnyModel, TrainingParams
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.compare.params import CompareParams
from borderline.pipelines.gasten.kinds import AnyGenerator
from borderline.pipelines.gasten.kinds.imported import Settings as ImportedGeneratorParams
from borderline.pipelines.gasten.params import GanParams, GenerationParams
from borderline.pipelines.gate.params import GateParams
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.pipelines.report.params import ReportParams


class Parameters(Params):
    """Every setting of a run, as the ``parameters*.yml`` files of an environment give them."""

    run: RunParams
    pair: PairParams
    confusion: ConfusionParams
    grid: Grid
    models: dict[str, AnyModel] = Field(min_length=1)
    classifier: TrainingParams
    judge: TrainingParams
    gan: GanParams
    generators: dict[str, AnyGenerator] = Field(min_length=1)
    generation: GenerationParams
    metrics: MetricsParams
    clustering: ClusteringParams
    prototypes: PrototypesParams
    report: ReportParams
    gate: GateParams
    compare: CompareParams
    other_run: OtherRunParams
    tracking: TrackingParams
    # Not set by users: `run` for each repetition of grid.runs but the first, how the run was
    # called, and whom `compare` compares.
    runs: dict[str, RunParams] = Field(default_factory=dict)
    call: CallParams | None = None
    pairing: Pairing | None = None


class SourceGlobals(Params):
    """Which images, as ``ImageSource`` takes them."""

    kind: str
    path: str | None = None
    name: str | None = None
    classes: list[str] | None = None
    otherwise: SourceGlobals | None = None
    size: int | None = Field(default=None, ge=SMALLEST_IMAGE)
    colour: Literal["grey", "rgb"] | None = None
    broken: Literal["stop", "leave_out"] = "stop"
    range: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range is {list(self.range)}, whose second number must be greater")
        if self.range is not None and self.kind != "arrays":
            raise ValueError("range is for arrays, so leave it out")
        return self


class PairGlobals(Params):
    """The two classes."""

    positive: int | str
    negative: int | str


class Globals(Params):
    """What a run is about: ``globals.yml``."""

    data_folder: str
    credentials: str | None = None
    dataset: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    source: SourceGlobals
    pair: PairGlobals
    step_1_checkpoints: str | None = None
    inception_weights: str | None = None
    study_storage: str | None = None
    other_run: OtherRunParams


def pair_up(parameters: Parameters) -> Pairing:
    """The two models that ``compare`` compares; both the same where there is no other.

    Args:
        parameters: The settings as configured.
    """
    compare, models = parameters.compare, parameters.grid.models
    elsewhere = parameters.other_run.data_folder is not None
    this = compare.this or models[0]
    others = [this] if elsewhere else [*(model for model in models if model != this), this]
    return Pairing(this=this, other=compare.other or others[0], elsewhere=elsewhere)


def imported_models(parameters: Parameters) -> dict[str, Source]:
    """Where each model of the grid comes from that was trained elsewhere."""
    chosen = {name: parameters.models[name] for name in parameters.grid.models}
    return {n: own.source for n, own in chosen.items() if isinstance(own, ImportedModelParams)}


def imported_generators(layout: Layout) -> dict[str, Source]:
    """Where each generator of the grid comes from that was trained elsewhere, by full name."""
    every = {name: own for name, (own, _) in layout.generators.items()}
    return {n: own.source for n, own in every.items() if isinstance(own, ImportedGeneratorParams)}


def taken_apart(parameters: Parameters, layout: Layout, call: CallParams) -> Parameters:
    """The settings with an entry for each generator of the layout, and for each repetition.

    Args:
        parameters: The settings as configured.
        layout: The grid taken apart.
        call: How the run was called.
    """
    placed = {name: place.settings for name, place in layout.generators.items()}
    return parameters.model_copy(
        update={
            "grid": parameters.grid.model_copy(update={"generators": tuple(layout.generators)}),
            "generators": {**parameters.generators, **placed},
            "runs": seeds(parameters.grid, parameters.run),
            "call": call,
            "pairing": layout.pairing,
        }
    )
