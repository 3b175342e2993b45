"""All settings of a run and of its environment, and values that derive from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from borderline.boundary import ConfusionParams
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.grid import Grid, Layout, committee
from borderline.image_sizes import MOST_MEGAPIXELS, ImageSize
from borderline.imported.params import ImportedJudgeParams, ImportedModelParams, Source
from borderline.names import fault_of_name, fault_of_path
from borderline.params import (
    CallParams,
    Mark,
    OtherRunParams,
    Pairing,
    PairParams,
    Params,
    ResultsFolder,
    RunParams,
    TrackingParams,
    without_fault,
)
from borderline.pipelines.classifier.params import (
    AnyJudge,
    AnyModel,
    JudgeParams,
    RepairedModelParams,
)
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.compare.params import CompareParams
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.kinds import AnyGenerator
from borderline.pipelines.gasten.params import GenerationParams
from borderline.pipelines.gasten.search_params import SearchParams
from borderline.pipelines.gate.params import GateParams
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.pipelines.rating.params import RatingParams
from borderline.pipelines.repair.params import RepairParams
from borderline.pipelines.report.params import ReportParams
from borderline.pipelines.suite.params import SuiteParams
from borderline.quick import quick_name
from borderline.training.params import LibraryModelParams, TrainingParams
from borderline.verdicts.params import VerdictsParams


class Parameters(Params):
    """All settings of a run: ``parameters*.yml``."""

    run: RunParams
    pair: PairParams
    confusion: ConfusionParams
    grid: Grid
    models: dict[str, AnyModel] = Field(min_length=1)
    classifier: TrainingParams
    judge: AnyJudge
    gan: GanParams
    generators: dict[str, AnyGenerator] = Field(min_length=1)
    generation: GenerationParams
    metrics: MetricsParams
    verdicts: VerdictsParams
    clustering: ClusteringParams
    prototypes: PrototypesParams
    counterfactuals: CounterfactualsParams
    report: ReportParams
    gate: Annotated[GateParams, Mark.BESIDE]
    compare: Annotated[CompareParams, Mark.BESIDE]
    rating: Annotated[RatingParams, Mark.BESIDE]
    repair: Annotated[RepairParams, Mark.BESIDE]
    suite: Annotated[SuiteParams, Mark.BESIDE]
    search: Annotated[SearchParams, Mark.BESIDE]
    images: Annotated[Annotated[str, without_fault(fault_of_path)] | None, Mark.BESIDE] = None
    other_run: Annotated[OtherRunParams, Mark.BESIDE]
    tracking: Annotated[TrackingParams, Mark.BESIDE]


class Derived(Params):
    """Values that derive from the settings; nodes take them as ``params:<name>`` too.

    Attributes:
        runs: The run settings of repetitions that differ from ``run``; see ``grid.seeds``.
        gans: The number of the GAN of each generator, see ``grid.Layout.gans``.
        members: The numbers of the members of the committee that are trained here, by name.
        call: The call of the run.
        pairing: The two models that ``compare`` compares.
    """

    runs: dict[str, RunParams]
    gans: dict[str, int]
    members: dict[str, int]
    call: Annotated[CallParams, Mark.NO_RESULT]
    pairing: Annotated[Pairing, Mark.NO_RESULT]


ClassName = Annotated[int | str, AfterValidator(str)]
"""The name of a class or a column; a plain number is its text."""


InputPath = Annotated[str, without_fault(fault_of_path)]
"""The path or address of files that a run reads."""


class SourceGlobals(Params):
    """The images, as ``datasets.ImageSource`` takes them."""

    kind: str
    path: InputPath | None = None
    name: str | None = None
    classes: list[ClassName] | None = None
    otherwise: SourceGlobals | None = None
    size: ImageSize | None = None
    fit: Literal["crop", "pad", "stretch"] | None = None
    colour: Literal["grey", "rgb"] | None = None
    broken: Literal["stop", "leave_out"] = "stop"
    range: tuple[float, float] | None = None
    columns: list[ClassName] | None = None
    levels: list[str] | None = None
    file_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    folder: InputPath | None = None
    most_megapixels: int = Field(default=MOST_MEGAPIXELS, ge=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range is {list(self.range)}, whose second number must be greater")
        self._check_layout()
        return self

    def _check_layout(self) -> None:
        """Check the settings of folders and tables."""
        kinds = {
            "levels": ("image_folder",),
            "label_column": ("table", "image_folder"),
            **dict.fromkeys(("file_column", "split_column"), ("table",)),
            "folder": ("table", "image_folder", "hugging_face"),
            "group_column": ("table", "image_folder", "arrays", "hugging_face"),
        }
        for setting, needed in kinds.items():
            if getattr(self, setting) is not None and self.kind not in needed:
                raise ValueError(f"{setting} is for {' and '.join(needed)}: remove it")
        levels = self.levels
        if levels is not None and (levels.count("class") != 1 or len({*levels}) < len(levels)):
            raise ValueError(
                f"levels is {levels}, but it needs different names, one of which is class, such as "
                "[site, class]"
            )
        if levels is not None and self.label_column is not None:
            raise ValueError("levels and label_column both say what the classes are: remove one")


class PairGlobals(Params):
    """The two classes of the model under test."""

    positive: int | str
    negative: int | str


class Globals(Params):
    """Images, pair and folders of a run: ``globals.yml``.

    Attributes:
        trust_data_folder: Whether files in the data folder may run code if another project wrote
            them.
    """

    data_folder: Annotated[ResultsFolder, Mark.BESIDE]
    trust_data_folder: Annotated[bool, Field(strict=True), Mark.BESIDE] = False
    credentials: str | None = None
    dataset: Annotated[str, without_fault(fault_of_name)]
    source: SourceGlobals
    pair: PairGlobals
    step_1_checkpoints: InputPath | None = None
    inception_weights: InputPath | None = None
    study_storage: str | None = None
    other_run: OtherRunParams

    @field_validator("dataset")
    @classmethod
    def _is_not_quick(cls, dataset: str) -> str:
        if dataset.endswith(quick_name("")):
            raise ValueError(
                f"names that end in {quick_name('')} are for quick runs (kedro run --quick), so "
                "choose another name"
            )
        return dataset

    def names(self) -> dict[str, Any]:
        """The entries that the catalog reads, with their names as text."""
        source = self.source.model_dump(mode="json", exclude_unset=True)
        return {"dataset": self.dataset, "source": source}


def pair_up(parameters: Parameters) -> Pairing:
    """The two models that ``compare`` compares; both are the same if there is only one."""
    compare, models = parameters.compare, parameters.grid.models
    elsewhere = parameters.other_run.data_folder is not None
    this = compare.this or models[0]
    others = [this] if elsewhere else [*(model for model in models if model != this), this]
    return Pairing(this=this, other=compare.other or others[0], elsewhere=elsewhere)


def trained_members(parameters: Parameters) -> dict[str, int]:
    """The members of the committee that are trained here with their numbers."""
    judge = parameters.judge
    return committee(judge.members) if isinstance(judge, JudgeParams) else {}


def imported_judge(parameters: Parameters) -> Source | None:
    """The source of a judge that was trained elsewhere; None for one that is trained here."""
    judge = parameters.judge
    return judge.source if isinstance(judge, ImportedJudgeParams) else None


def imported_models(parameters: Parameters) -> dict[str, Source]:
    """The sources of the grid's models that were trained elsewhere."""
    models = {name: parameters.models[name] for name in parameters.grid.models}
    return {
        n: model.source for n, model in models.items() if isinstance(model, ImportedModelParams)
    }


def pretrained_models(parameters: Parameters) -> dict[str, LibraryModelParams]:
    """The grid's models that are trained here from pretrained weights."""
    models = {name: parameters.models[name] for name in parameters.grid.models}
    return {
        n: model
        for n, model in models.items()
        if isinstance(model, LibraryModelParams) and model.pretrained
    }


def repaired_models(parameters: Parameters) -> dict[str, str]:
    """The grid's models that are repaired versions of others, with the names of these."""
    models = {name: parameters.models[name] for name in parameters.grid.models}
    return {n: model.of for n, model in models.items() if isinstance(model, RepairedModelParams)}


def imported_generators(layout: Layout) -> dict[str, Source]:
    """The sources of the layout's generators that were trained elsewhere."""
    placed = layout.generators.items()
    return {n: settings.source for n, (settings, _) in placed if settings.has_file}  # type: ignore[attr-defined]


def laid_out(parameters: Parameters, layout: Layout) -> Parameters:
    """The settings with an entry for each generator of the layout."""
    placed = {name: place.settings for name, place in layout.generators.items()}
    return parameters.model_copy(
        update={
            "grid": parameters.grid.model_copy(update={"generators": tuple(layout.generators)}),
            "generators": {**parameters.generators, **placed},
        }
    )
