"""All that is checked before the first node runs, each fault in one sentence."""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Pipeline
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from torch import nn

from borderline.datasets import CheckpointFolder, StudyStorage
from borderline.datasets.checkpoints import check_settings, latest
from borderline.datasets.image_source import SMALLEST_IMAGE, SourceImages
from borderline.errors import BorderlineError, did_you_mean
from borderline.grid import GIVEN_STEP_1, Grid, Layout, lay_out, repeated, seeds
from borderline.imported.catalog import IMPORTED_FILE
from borderline.imported.classifier import (
    FILE_DIGEST,
    BlindJudge,
    ImportedClassifier,
    digest_of_source,
)
from borderline.imported.params import ImportedModelParams, Source
from borderline.imported.probe import check_contract, check_model
from borderline.ledger import Entry
from borderline.measures.inception import INCEPTION_FEATURES
from borderline.measures.inference import has_gradients
from borderline.params import (
    CallParams,
    ConfusionParams,
    OtherRunParams,
    Pairing,
    PairParams,
    Params,
    RunParams,
    Setting,
    TrackingParams,
)
from borderline.pipeline_registry import STAGES
from borderline.pipelines.classifier.networks import JUDGE_FEATURES
from borderline.pipelines.classifier.pairs import (
    check_counts,
    images_of_pair,
    labels_of_pair,
    split_source,
)
from borderline.pipelines.classifier.params import (
    MODEL_KINDS,
    AnyModel,
    ModelParams,
    TrainingParams,
    classifier_settings,
    judge_settings,
)
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.compare.params import CompareParams
from borderline.pipelines.gasten.kinds import KINDS, AnyGenerator
from borderline.pipelines.gasten.kinds.imported import (
    ImportedGenerator,
    check_generator,
)
from borderline.pipelines.gasten.kinds.imported import Settings as ImportedGeneratorParams
from borderline.pipelines.gasten.networks import trained_networks
from borderline.pipelines.gasten.params import GanParams, GenerationParams, gan_settings
from borderline.pipelines.gate.params import GateParams
from borderline.pipelines.metrics.leaderboard import RULES
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.params import WITHOUT_GRADIENTS, PrototypesParams
from borderline.pipelines.report.params import ReportParams

_LEAST_FREE_BYTES = 500 * 2**20
FEWEST_OF_A_CLASS = 4
_TAGS: dict[str, dict[str, type[Params]]] = {
    "generators": {name: kind.Settings for name, kind in KINDS.items()},
    "models": MODEL_KINDS,
}
_NO_SETTINGS = {
    "runs": "set grid.runs to their number",
    "call": "call the run as you like; it notes how",
    "pairing": "set compare.this and compare.other",
}


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


def read_globals(raw: dict[str, Any]) -> Globals:
    """Check ``globals.yml``.

    Raises:
        BorderlineError: When an entry is missing, misspelt or impossible.
    """
    return _validated(Globals, raw)


def read_parameters(raw: dict[str, Any]) -> Parameters:
    """Check every setting of a run.

    Args:
        raw: What the config loader gives for ``parameters``.

    Raises:
        BorderlineError: When a setting is missing, misspelt or impossible.
    """
    parameters = _validated(Parameters, raw)
    for name, instead in _NO_SETTINGS.items():
        if getattr(parameters, name):
            raise BorderlineError(f"{name} is no setting: remove it, and {instead}.")
    if parameters.pair.positive == parameters.pair.negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {parameters.pair.positive!r}: choose two "
            "classes."
        )
    grid = parameters.grid
    _check_names("grid.models", grid.models, parameters.models, "models")
    _check_names("grid.generators", grid.generators, parameters.generators, "generators")
    _check_gan(parameters)
    _check_generators(parameters)
    rule, layout = parameters.metrics.choose, lay_out(grid, parameters.generators, trains_gan=True)
    check_spelling(grid.models, layout.generators)
    _check_names("metrics.choose", [rule], [*RULES, *layout.generators], "grid.generators")
    _check_metrics(parameters)
    _check_compare(parameters)
    return parameters


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


def check_paths(parameters: Parameters, about: Globals, asked: Mapping[str, Any]) -> None:
    """Make sure that paths carry what the run computes with.

    Args:
        parameters: What it computes with.
        about: ``globals.yml``, which paths are made from.
        asked: What ``--params`` changed, there and here.

    Raises:
        BorderlineError: When they differ.
    """
    for group in ("pair", "other_run"):
        filed = getattr(about, group).model_dump() | dict(asked.get(group, {}))
        for name in type(getattr(about, group)).model_fields:
            value = getattr(getattr(parameters, group), name)
            if value != filed[name]:
                raise BorderlineError(
                    f"{group}.{name} is {value!r} in parameters*.yml, but paths carry "
                    f"{filed[name]!r} of globals.yml: set {group} in conf/<env>/globals.yml or "
                    "with --params."
                )


def _check_gan(parameters: Parameters) -> None:
    """Make sure that step 1 can be measured by what its settings ask for.

    Raises:
        BorderlineError: When it cannot.
    """
    gan = parameters.gan
    if gan.early_stopping is not None and gan.early_stopping.metric != "fd_lenet":
        raise BorderlineError(
            f"gan.early_stopping.metric is {gan.early_stopping.metric!r}, but step 1 knows no "
            "model under test: set it to 'fd_lenet'."
        )
    if gan.steps_per_epoch is not None and gan.disc_iters > gan.steps_per_epoch:
        raise BorderlineError(
            f"gan.disc_iters is {gan.disc_iters}, but an epoch has only {gan.steps_per_epoch} "
            "steps (gan.steps_per_epoch): lower the one or raise the other."
        )
    if gan.compile and gan.loss == "wgan_gp":
        raise BorderlineError(
            "gan.compile is True, but torch.compile cannot differentiate twice, as gan.loss "
            "'wgan_gp' asks for: set gan.compile to False."
        )
    placed = lay_out(parameters.grid, parameters.generators, trains_gan=True).generators
    chosen = [place.settings for place in placed.values()]
    rules = [gan.early_stopping, *(getattr(c, "early_stopping", None) for c in chosen)]
    metrics = {rule.metric for rule in rules if rule} | {
        rule.once_settled.metric for rule in rules if rule and rule.once_settled
    }
    starts = {getattr(c, "start", None) for c in chosen}
    needed = "fd_lenet" in metrics or "best" in starts
    if needed and parameters.generation.test_noise <= JUDGE_FEATURES:
        raise BorderlineError(
            f"generation.test_noise is {parameters.generation.test_noise}, but fd_lenet, which "
            f"early_stopping or start asks for, needs more images than the judge's "
            f"{JUDGE_FEATURES} features: raise it."
        )


def _check_generators(parameters: Parameters) -> None:
    """Make sure that generators go on from what is there, and land in the band.

    Raises:
        BorderlineError: When one does not.
    """
    grid, gan = parameters.grid, parameters.gan
    variants = lay_out(grid.model_copy(update={"runs": 1}), parameters.generators, trains_gan=True)
    spaces = {n: own.settings for n, own in variants.generators.items() if own.settings.has_space}
    for name, (settings, _) in variants.generators.items():
        source = settings.goes_on_from()
        if source is not None and source not in spaces:
            raise BorderlineError(
                f"generators.{name}.space_of is {source!r}{did_you_mean(source, spaces)}, which is "
                "no trained or imported generator of grid.generators: choose "
                f"{' or '.join(['gan', *spaces])}, or add it there."
            )
        realism = getattr(settings, "realism", None)
        by_discriminator = realism is not None and realism.by == "discriminator"
        if source is not None and by_discriminator and not spaces[source].trains:
            raise BorderlineError(
                f"generators.{name}.realism.by is 'discriminator', but {source} was trained "
                "elsewhere and brought none: set it to 'judge'."
            )
        start = getattr(settings, "start", None)
        if isinstance(start, int) and (
            start > gan.epochs or (start % gan.checkpoint_every and start != gan.epochs)
        ):
            raise BorderlineError(
                f"generators.{name}.start is {start}, but step 1 has {gan.epochs} epochs "
                f"(gan.epochs) and a checkpoint every {gan.checkpoint_every} "
                "(gan.checkpoint_every): choose one of these, or 'best' or 'last'."
            )
        term = getattr(settings, "term", "")
        if gan.compile and term.startswith("mgda"):
            raise BorderlineError(
                f"gan.compile is True, but generators.{name}.term {term!r} takes two gradients of "
                "one pass, which torch.compile does not keep: set gan.compile to False."
            )
        reach = getattr(settings, "tolerance", 0.0) + getattr(settings, "spread", 0.0)
        if reach >= parameters.confusion.band:
            raise BorderlineError(
                f"generators.{name}.tolerance and spread add up to {reach:g}, but an image is "
                f"borderline only within {parameters.confusion.band} of 0.5 (confusion.band): "
                "lower them."
            )


def _check_metrics(parameters: Parameters) -> None:
    """Make sure that epochs and generators can be measured, and on one number of images.

    Raises:
        BorderlineError: When they cannot.
    """
    noise = parameters.generation.test_noise
    sizes = {
        "metrics.sample_size": parameters.metrics.sample_size,
        "generation.images": parameters.generation.images,
    }
    judges = {"lenet": JUDGE_FEATURES, "inception": INCEPTION_FEATURES}
    for setting, size in sizes.items():
        if size < noise:
            raise BorderlineError(
                f"{setting} is {size}, but epochs are measured on generation.test_noise {noise} "
                "images, and generators must be on as many: raise the one or lower the other."
            )
        for judge in parameters.grid.judges:
            width = judges.get(judge, 0)
            if size <= width:
                raise BorderlineError(
                    f"{setting} is {size}, but the Fréchet distance of {judge} (grid.judges) needs "
                    f"more images than its {width} features: raise it, or leave {judge} out."
                    if judge != "lenet"
                    else f"{setting} is {size}, but fd_lenet needs more images than the judge's "
                    f"{width} features: raise it."
                )


def _check_compare(parameters: Parameters) -> None:
    """Make sure that what is named to be compared is of the run.

    Raises:
        BorderlineError: When it is not.
    """
    compare, models = parameters.compare, parameters.grid.models
    named = {"this": compare.this}
    if parameters.other_run.data_folder is None:
        named["other"] = compare.other
    for name, model in named.items():
        if model is not None:
            _check_names(f"compare.{name}", [model], models, "grid.models")


def check_spelling(models: Iterable[str], generators: Iterable[str]) -> None:
    """Make sure that no model or generator is called like something else beside it.

    Raises:
        BorderlineError: When one is.
    """
    # The last ones are what tables have for no name.
    taken = {*STAGES, *RULES, "gan", "judge", "nan", "null", "none"}
    for setting, names in (("models", models), ("generators", generators)):
        for name in names:
            if name in taken or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise BorderlineError(
                    f"grid.{setting} is {name!r}, but names are of small letters, digits and "
                    "underscores, begin with a letter, and are none of "
                    f"{', '.join(sorted(taken))}: rename it."
                )


def check_inputs(
    pipeline: Pipeline,
    catalog: DataCatalog,
    stages: Mapping[str, Pipeline],
    requested: Iterable[str],
    command: str,
) -> None:
    """Make sure that what earlier stages leave behind is there.

    Args:
        pipeline: What is about to run.
        catalog: Where its inputs are.
        stages: All stages in their order.
        requested: The names of the stages that were asked for.
        command: The start of a command that runs stages, for the message.

    Raises:
        BorderlineError: When an input is missing; it gives the command that makes it.
    """
    missing = _missing(pipeline, catalog)
    if not missing:
        return
    asked = set(requested) & set(stages)
    needed = set(asked)
    gap = missing
    while gap:
        makers = {name for name in stages if stages[name].all_outputs() & gap} - needed
        if not makers:
            break
        needed |= makers
        gap = _missing(sum((stages[name] for name in needed), Pipeline([])), catalog)
    shown = sorted(missing)[0]
    together = ",".join(name for name in stages if name in needed)
    raise BorderlineError(
        f"{' and '.join(sorted(asked) or ['This run'])} needs {shown!r}, which an earlier stage "
        f"makes and which is not there yet: run `{command} --pipelines {together}`."
    )


def check_source(source: SourceImages, parameters: Parameters) -> None:
    """Make sure that the source has the classes of the pair, and enough images of every class.

    Raises:
        BorderlineError: When it has not.
    """
    positive, negative = labels_of_pair(source, parameters.pair)
    check_counts(source)
    share, seed = parameters.pair.test_share, parameters.run.seed
    try:
        parts = split_source(source, share, seed)
        counts = [
            [int((part["labels"] == label).sum()) for label in (positive, negative)]
            for part in parts
        ]
    except ValueError:  # a share so near to 0 or 1 that a class gets no image
        counts = [[0]]
    fewest = min(min(part) for part in counts)
    if fewest < FEWEST_OF_A_CLASS:
        raise BorderlineError(
            f"pair.test_share is {share} and leaves {fewest} training or test images of a class of "
            f"the pair in {source.name}, but at least {FEWEST_OF_A_CLASS} are needed of each: "
            "choose another share, or classes with more images."
        )
    neighbours, images = parameters.metrics.neighbours, sum(counts[0])
    if neighbours >= images:
        raise BorderlineError(
            f"metrics.neighbours is {neighbours}, but the pair has only {images} training images "
            f"in {source.name}: lower it."
        )


def digests_of_imports(
    catalog: DataCatalog, parameters: Parameters, layout: Layout, running: Pipeline
) -> dict[str, str]:
    """What the files of imported models and generators hold, for the ledger.

    Args:
        catalog: Where they are.
        parameters: Every setting.
        layout: The grid.
        running: What is about to run; files that it does not take may be gone by now.

    Returns:
        A digest of each file, and of the code that goes with it, by the name of its dataset.

    Raises:
        BorderlineError: When a file that is needed cannot be read.
    """
    sources = {
        f"{model}.{IMPORTED_FILE}": own for model, own in imported_models(parameters).items()
    }
    for model, (generator, own) in itertools.product(
        layout.models, imported_generators(layout).items()
    ):
        sources[f"{model}.{generator}.{IMPORTED_FILE}"] = own
    found = {}
    for name, source in sources.items():
        try:
            found[name] = digest_of_source(source, catalog.load(name))
        except (BorderlineError, DatasetError):
            if name in running.inputs():
                raise
    return found


def check_imports(
    catalog: DataCatalog,
    pipeline: Pipeline,
    source: SourceImages,
    parameters: Parameters,
    layout: Layout,
) -> None:
    """Try the models and generators from elsewhere that a pipeline takes on real images.

    Raises:
        BorderlineError: When one cannot be read, does not what its settings say, or lacks the
            gradients that are asked for.
    """
    positive, negative = labels_of_pair(source, parameters.pair)
    real = images_of_pair(source.train, positive, negative)
    shape = tuple(real["images"].shape[1:])
    for model in layout.imported:
        name = f"{model}.{IMPORTED_FILE}"
        params = parameters.models[model]
        if name not in pipeline.inputs() or not isinstance(params, ImportedModelParams):
            continue
        check_contract(params.input, model, shape)
        content: bytes = catalog.load(name)
        with _of_setting(f"models.{model}"):
            classifier = ImportedClassifier(params, content, shape, BlindJudge())
        check_model(model, classifier, real, parameters.run.torch_device())
        _check_gradients(model, classifier, parameters, layout)
    for generator, (settings, _) in layout.generators.items():
        name = f"{layout.models[0]}.{generator}.{IMPORTED_FILE}"
        if name in pipeline.inputs() and isinstance(settings, ImportedGeneratorParams):
            with _of_setting(f"generators.{generator}"):
                check_generator(ImportedGenerator(settings, catalog.load(name)), shape)


@contextmanager
def _of_setting(setting: str) -> Iterator[None]:
    """Sentences that begin with a setting, with the group that it is of before them."""
    try:
        yield
    except BorderlineError as error:
        raise BorderlineError(f"{setting}.{error}") from error


def _check_gradients(
    model: str, classifier: nn.Module, parameters: Parameters, layout: Layout
) -> None:
    if has_gradients(classifier):
        return
    remedy = f"import {model} as a model of PyTorch's (torch_export, torchscript or state_dict)"
    for name, (settings, _) in layout.generators.items():
        if settings.needs_gradients:
            raise BorderlineError(
                f"grid.generators is {name!r}, of kind {settings.kind!r}, which follows the "
                f"gradients of the model, but models.{model} has none: {remedy}, or leave {name} "
                "out, for latent_search and pixel_bisection need none."
            )
    explanation = parameters.prototypes.explanation
    if not explanation.methods_of(has_gradients=False):
        raise BorderlineError(
            f"prototypes.explanation.methods is {list(explanation.methods)}, which all need "
            f"gradients, but models.{model} has none: {remedy}, or add {WITHOUT_GRADIENTS!r}."
        )


def check_pairing(pairing: Pairing | None, requested: Iterable[str]) -> None:
    """Make sure that there are two models to compare, where that is asked for.

    Raises:
        BorderlineError: When there are not.
    """
    if pairing is None or "compare" not in requested:
        return
    if not pairing.elsewhere and pairing.this == pairing.other:
        raise BorderlineError(
            f"compare.other is {pairing.other!r}, and so is compare.this: name another model of "
            "grid.models, or another finished run with other_run.data_folder."
        )


def check_other_run(catalog: DataCatalog, pipeline: Pipeline, parameters: Parameters) -> None:
    """Make sure that the other run of a comparison is there, and finished.

    Raises:
        BorderlineError: When it is not.
    """
    missing = sorted(n for n in _missing(pipeline, catalog) if n.startswith("other_run."))
    if missing:
        other, pairing = parameters.other_run, parameters.pairing
        assert pairing is not None
        path: Any = catalog.get(missing[0])
        raise BorderlineError(
            f"other_run.data_folder is {other.data_folder!r}, but no finished run with a model "
            f"{pairing.other!r} is there ({path._filepath} is missing): correct it, other_run.case "
            "or compare.other, or drive that run to its end."
        )


def check_judges(catalog: DataCatalog, pipeline: Pipeline) -> None:
    """Make sure that the judges from elsewhere can be had.

    Raises:
        BorderlineError: When the pipeline takes Inception and its weights cannot.
    """
    if "inception" in pipeline.inputs():
        catalog.load("inception")


def check_study_storage(pipeline: Pipeline, about: Globals) -> None:
    """Make sure that the database of the searches, where one is named, can be opened.

    Raises:
        BorderlineError: When the pipeline searches and it cannot.
    """
    searches = any(name.endswith("study_storage") for name in pipeline.inputs())
    if about.study_storage is not None and searches:
        try:
            StudyStorage(filepath="", url=about.study_storage).load()
        except DatasetError as error:
            raise BorderlineError(str(error)) from error


def check_same_images(source_digest: str, former: Entry, folder: str) -> None:
    """Make sure that the results on disk are of the images that the source now holds.

    Args:
        source_digest: The digest of the source's images.
        former: What the ledger has about the images; empty for nothing.
        folder: Where the results are, for the message.

    Raises:
        BorderlineError: When they are of others.
    """
    if former.get("digest", source_digest) != source_digest:
        raise BorderlineError(
            f"source holds other images than those that the results in {folder} were made with: "
            "set dataset in conf/<env>/globals.yml to a name of its own, which gives the run "
            "folders of its own, or move that folder away."
        )


def check_data_folder(folder: Path) -> None:
    """Make sure that results can be written.

    Args:
        folder: The data folder; it need not exist yet.

    Raises:
        BorderlineError: When it cannot be written, or when its disk is nearly full.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but {existing} cannot be written "
            f"({error.strerror}): give yourself the right to write there, or name another folder "
            "in conf/<env>/globals.yml."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise BorderlineError(
            f"data_folder is {str(folder)!r}, but its disk has only {free / 2**20:.0f} MB left and "
            f"a run needs at least {_LEAST_FREE_BYTES / 2**20:.0f} MB: make room, or name a folder "
            "on another disk in conf/<env>/globals.yml."
        )


def check_given_step_1(catalog: DataCatalog, parameters: Parameters, about: Globals) -> None:
    """Make sure that a step 1 from elsewhere is there and fits.

    Args:
        catalog: Where it is.
        parameters: Every setting.
        about: Names it, or does not.

    Raises:
        BorderlineError: When it is missing, of another pair, or of other networks.
    """
    path = about.step_1_checkpoints
    if path is None:
        return
    if not catalog.exists(GIVEN_STEP_1):
        raise BorderlineError(
            f"{GIVEN_STEP_1} is {path!r}, but no checkpoint is there: correct it in "
            "conf/<env>/globals.yml, or remove it to train step 1 here."
        )
    try:
        checkpoints = catalog.load(GIVEN_STEP_1)
        epochs = sorted(int(name[-4:]) for name in checkpoints)
        checkpoint = checkpoints[max(checkpoints)]()
        made = checkpoint["settings"], checkpoint["state"]["image_shape"], checkpoint["history"]
    except (BorderlineError, DatasetError, LookupError, TypeError, ValueError) as error:
        raise BorderlineError(
            f"{GIVEN_STEP_1} is {path!r}, which holds no checkpoints of step 1 (epoch_0001.pt and "
            "so on, as a run leaves them): correct it in conf/<env>/globals.yml."
        ) from error
    if epochs[0] > parameters.gan.epochs:
        raise BorderlineError(
            f"gan.epochs is {parameters.gan.epochs}, but {GIVEN_STEP_1} ({path}) begins with epoch "
            f"{epochs[0]}: set gan.epochs to the epoch to go on from."
        )
    for name, value in parameters.pair.fingerprint("pair").items():
        made_with = made[0].get(name, value)
        if name != "pair.test_share" and made_with != value:
            raise BorderlineError(
                f"{name} is {value!r}, but {GIVEN_STEP_1} ({path}) was made with {made_with!r}: "
                "choose the same pair, or other checkpoints."
            )
    try:
        trained_networks(parameters.gan, checkpoint["state"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise BorderlineError(
            f"{GIVEN_STEP_1} is {path!r}, whose networks are not those of gan.architecture "
            f"{parameters.gan.architecture!r}, gan.filters {parameters.gan.filters}, gan.blocks "
            f"{parameters.gan.blocks}, gan.latent_dim {parameters.gan.latent_dim} and gan.loss "
            f"{parameters.gan.loss!r}: set these as they were trained."
        ) from error


def check_checkpoints(
    catalog: DataCatalog,
    parameters: Parameters,
    layout: Layout,
    imports: Mapping[str, str],
) -> None:
    """Make sure that every checkpoint on disk was made with the present settings.

    Those of stages that do not run now count too, for this run would go on from their results.

    Args:
        catalog: Where they are.
        parameters: Every setting.
        layout: The grid.
        imports: What :func:`digests_of_imports` found.

    Raises:
        BorderlineError: When a setting differs.
    """
    for name, epochs, settings, called in _trainings(parameters, layout, imports):
        folder = catalog.get(name)
        assert isinstance(folder, CheckpointFolder)
        checkpoint = latest(folder.load(), epochs)
        if checkpoint is not None:
            check_settings(checkpoint, settings, where=folder.path, called=called)


def _trainings(
    p: Parameters, layout: Layout, imports: Mapping[str, str]
) -> Iterator[tuple[str, int, dict[str, Setting], dict[str, str]]]:
    """Every training's checkpoints, epochs, settings and what its recipes are called."""
    yield "judge_checkpoints_so_far", p.judge.epochs, judge_settings(p.run, p.pair, p.judge), {}
    runs = {1: p.run} | {n: p.runs[f"run_{n}"] for n in range(2, layout.runs + 1)}
    step_1 = {n: gan_settings(run, p.pair, p.gan) for n, run in runs.items()}
    if layout.trains_gan:
        for number, settings in step_1.items():
            name = f"{repeated('gan', number)}.checkpoints_so_far"
            yield name, p.gan.epochs, settings, {}
    models = {
        model: classifier_settings(p.run, p.pair, recipe, p.classifier)
        if isinstance(recipe := p.models[model], ModelParams)
        else recipe.fingerprint("model") | _file_digest(model, imports)
        for model in p.grid.models
    }
    for model in layout.trained:
        settings = models[model]
        name = f"{model}.classifier_checkpoints_so_far"
        yield name, p.classifier.epochs, settings, {"model": f"models.{model}"}
    for model, (generator, (tuned, number)) in itertools.product(models, layout.generators.items()):
        if not tuned.trains:
            continue
        settings = {
            **(step_1[number] if layout.trains_gan else p.gan.fingerprint("gan")),
            **models[model],
            **({"classifier.epochs": p.classifier.epochs} if model in layout.trained else {}),
            **tuned.fingerprint("generator"),
            # Compared only with trainings that depend on it.
            **p.confusion.fingerprint("confusion"),
        }
        start: Any = getattr(tuned, "start", None)
        if isinstance(start, int):
            settings["generator.start"] = start
        elif start == "last" and p.gan.early_stopping is None and layout.trains_gan:
            settings["gan.epochs"] = p.gan.epochs
        called = {"model": f"models.{model}", "generator": f"generators.{generator}"}
        epochs: int = tuned.epochs  # type: ignore[attr-defined]
        yield f"{model}.{generator}.checkpoints_so_far", epochs, settings, called


def _file_digest(model: str, imports: Mapping[str, str]) -> dict[str, Setting]:
    name = f"{model}.{IMPORTED_FILE}"
    return {FILE_DIGEST: imports[name]} if name in imports else {}


def _missing(pipeline: Pipeline, catalog: DataCatalog) -> set[str]:
    return {
        name
        for name in pipeline.inputs()
        if not name.startswith("params:") and name != "parameters" and not catalog.exists(name)
    }


def _check_names(setting: str, names: Iterable[str], known: Iterable[str], defined_in: str) -> None:
    names, known = list(names), list(known)
    if not names:
        raise BorderlineError(f"{setting} is empty: name at least one of {', '.join(known)}.")
    for name in names:
        if name not in known:
            raise BorderlineError(
                f"{setting} is {name!r}{did_you_mean(name, known)}: choose one of "
                f"{', '.join(known)}, or add it to {defined_in}."
            )
    if len(set(names)) < len(names):
        raise BorderlineError(f"{setting} names something twice ({', '.join(names)}): once is it.")


AnyParams = TypeVar("AnyParams", bound=Params)


def _validated(model: type[AnyParams], raw: dict[str, Any]) -> AnyParams:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise BorderlineError(_sentence(model, raw, error.errors()[0])) from error


def _sentence(model: type[Params], raw: dict[str, Any], error: ErrorDetails) -> str:
    path = _path(raw, error["loc"])
    place, value = ".".join(str(part) for part in path), error["input"]
    if error["type"] == "extra_forbidden":
        known = _fields_beside(model, raw, path)
        return (
            f"{place} is no setting{did_you_mean(str(path[-1]), known)}: correct its name, or "
            f"remove it; known are {', '.join(known)}."
        )
    if error["type"] in ("union_tag_invalid", "union_tag_not_found") and isinstance(value, dict):
        kind, kinds = value.get("kind"), _TAGS[str(path[0])]
        return (
            f"{place}.kind is {kind!r}{did_you_mean(str(kind), kinds)}: choose one of "
            f"{', '.join(map(repr, kinds))}."
        )
    if error["type"] == "missing":
        files = "globals" if model is Globals else "parameters*"
        return f"{place} is missing: set it in conf/<env>/{files}.yml."
    message = error["msg"][0].lower() + error["msg"][1:]
    message = message.removeprefix("value error, ").replace("input should be", "it must be")
    remedy = "correct it in conf/<env> or in --params."
    if isinstance(value, dict):
        return f"{place} cannot be: {message}: {remedy}"
    return f"{place} is {value!r}, but {message}: {remedy}"


def _path(raw: Any, location: tuple[int | str, ...]) -> list[int | str]:
    """Where in the input an error is: its location without the names of a union's members."""
    path: list[int | str] = []
    for part in location[:-1]:
        if isinstance(raw, dict | list) and (part in raw or isinstance(part, int)):
            raw = raw[part]  # type: ignore[index]
            path.append(part)
    return [*path, *location[-1:]] if isinstance(raw, dict) and not _is_tag(location) else path


def _is_tag(location: tuple[int | str, ...]) -> bool:
    return len(location) == 3 and location[2] in _TAGS.get(str(location[0]), ())


def _fields_beside(root: type[Params], raw: dict[str, Any], path: list[int | str]) -> list[str]:
    if path[0] in _TAGS and len(path) > 1:
        root, path = _TAGS[str(path[0])][raw[path[0]][path[1]]["kind"]], path[2:]
    model: Any = root
    for part in path[:-1]:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            break
        annotation = fields[part].annotation if part in fields else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
        model = arguments[-1] if arguments else annotation
    return sorted(getattr(model, "model_fields", {}))
