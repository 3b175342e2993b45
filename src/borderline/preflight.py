"""All that is checked before the first node runs, each fault in one sentence."""

from __future__ import annotations

import difflib
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from borderline.datasets import CheckpointFolder
from borderline.datasets.checkpoints import check_settings, latest
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.grid import Grid
from borderline.ledger import SOURCE, Ledger
from borderline.params import ConfusionParams, PairParams, Params, RunParams, Setting
from borderline.pipeline_registry import STAGES
from borderline.pipelines.classifier.pairs import check_counts, labels_of_pair, split_source
from borderline.pipelines.classifier.params import (
    ModelParams,
    TrainingParams,
    classifier_settings,
    judge_settings,
)
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.gasten.params import (
    GanParams,
    GenerationParams,
    GeneratorParams,
    gan_settings,
)
from borderline.pipelines.metrics.leaderboard import RULES
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.params import PrototypesParams

_LEAST_FREE_BYTES = 500 * 2**20
FEWEST_OF_A_CLASS = 4


class Parameters(Params):
    """Every setting of a run, as the ``parameters*.yml`` files of an environment give them."""

    run: RunParams
    pair: PairParams
    confusion: ConfusionParams
    grid: Grid
    models: dict[str, ModelParams] = Field(min_length=1)
    classifier: TrainingParams
    judge: TrainingParams
    gan: GanParams
    generators: dict[str, GeneratorParams] = Field(min_length=1)
    generation: GenerationParams
    metrics: MetricsParams
    clustering: ClusteringParams
    prototypes: PrototypesParams


class SourceGlobals(Params):
    """Which images, as ``ImageSource`` takes them."""

    kind: str
    path: str | None = None
    name: str | None = None
    classes: list[str] | None = None
    otherwise: SourceGlobals | None = None


class PairGlobals(Params):
    """The two classes."""

    positive: int | str
    negative: int | str


class Globals(Params):
    """What a run is about: ``globals.yml``."""

    data_folder: str
    dataset: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    source: SourceGlobals
    pair: PairGlobals


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
    if parameters.pair.positive == parameters.pair.negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {parameters.pair.positive!r}: choose two "
            "classes."
        )
    grid = parameters.grid
    _check_names("grid.models", grid.models, parameters.models, "models")
    _check_names("grid.generators", grid.generators, parameters.generators, "generators")
    _check_spelling(grid)
    rule = parameters.metrics.choose
    _check_names("metrics.choose", [rule], [*RULES, *grid.generators], "grid.generators")
    return parameters


def check_pair(pair: PairParams, of_the_path: PairGlobals) -> None:
    """Make sure that results are filed under the pair that they are of.

    Args:
        pair: The pair that the run computes with.
        of_the_path: The pair that ``globals.yml`` and ``--params`` put into every path.

    Raises:
        BorderlineError: When they differ.
    """
    for name in ("positive", "negative"):
        value, filed = getattr(pair, name), getattr(of_the_path, name)
        if value != filed:
            raise BorderlineError(
                f"pair.{name} is {value!r} in parameters*.yml, but the results would be filed "
                f"under {filed!r} of globals.yml: set the pair in conf/<env>/globals.yml or with "
                "--params."
            )


def _check_spelling(grid: Grid) -> None:
    """Make sure that no model or generator is called like something else beside it.

    Raises:
        BorderlineError: When one is.
    """
    taken = {*STAGES, "gan", "judge"}
    for setting, names in (("models", grid.models), ("generators", grid.generators)):
        for name in names:
            if name in taken or not re.fullmatch(r"[a-z0-9_]+", name):
                raise BorderlineError(
                    f"grid.{setting} is {name!r}, but names are of small letters, digits and "
                    f"underscores, and none of {', '.join(sorted(taken))}: rename it."
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
        labels = [part["labels"] for part in parts]
        fewest = min(
            int((part == label).sum()) for part in labels for label in (positive, negative)
        )
    except ValueError:  # a share so near to 0 or 1 that a class gets no image
        fewest = 0
    if fewest < FEWEST_OF_A_CLASS:
        raise BorderlineError(
            f"pair.test_share is {share} and leaves {fewest} training or test images of a class of "
            f"the pair in {source.name}, but at least {FEWEST_OF_A_CLASS} are needed of each: "
            "choose another share, or classes with more images."
        )


def check_same_images(source_digest: str, ledger: Ledger, folder: str) -> None:
    """Make sure that the results on disk are of the images that the source now holds.

    Args:
        source_digest: The digest of the source's images.
        ledger: What is on disk.
        folder: Where it is, for the message.

    Raises:
        BorderlineError: When they are of others.
    """
    former = ledger.get(SOURCE, {}).get("digest", source_digest)
    if former != source_digest:
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


def check_checkpoints(catalog: DataCatalog, parameters: Parameters) -> None:
    """Make sure that every checkpoint on disk was made with the present settings.

    Those of stages that do not run now count too, for this run would go on from their results.

    Raises:
        BorderlineError: When a setting differs.
    """
    for name, epochs, settings, called in _trainings(parameters):
        folder = catalog.get(name)
        assert isinstance(folder, CheckpointFolder)
        checkpoint = latest(folder.load(), epochs)
        if checkpoint is not None:
            check_settings(checkpoint, settings, where=folder.path, called=called)


def _trainings(
    p: Parameters,
) -> Iterator[tuple[str, int, dict[str, Setting], dict[str, str]]]:
    """Every training's checkpoints, epochs, settings and what its recipes are called."""
    yield "judge_checkpoints_so_far", p.judge.epochs, judge_settings(p.run, p.pair, p.judge), {}
    step_1 = gan_settings(p.run, p.pair, p.gan)
    yield "gan_checkpoints_so_far", p.gan.epochs, step_1, {}
    models = {
        model: classifier_settings(p.run, p.pair, p.models[model], p.classifier)
        for model in p.grid.models
    }
    for model, settings in models.items():
        name = f"{model}.classifier_checkpoints_so_far"
        yield name, p.classifier.epochs, settings, {"model": f"models.{model}"}
    for model, generator in itertools.product(models, p.grid.generators):
        recipe = p.generators[generator]
        settings = {
            **step_1,
            "gan.epochs": p.gan.epochs,
            **models[model],
            "classifier.epochs": p.classifier.epochs,
            **recipe.fingerprint("generator"),
        }
        called = {"model": f"models.{model}", "generator": f"generators.{generator}"}
        yield f"{model}.{generator}.checkpoints_so_far", recipe.epochs, settings, called


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
                f"{setting} is {name!r}{_close(name, known)}: choose one of {', '.join(known)}, or "
                f"add it to {defined_in}."
            )
    if len(set(names)) < len(names):
        raise BorderlineError(f"{setting} names something twice ({', '.join(names)}): once is it.")


AnyParams = TypeVar("AnyParams", bound=Params)


def _validated(model: type[AnyParams], raw: dict[str, Any]) -> AnyParams:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise BorderlineError(_sentence(model, error.errors()[0])) from error


def _sentence(model: type[Params], error: ErrorDetails) -> str:
    place, value = ".".join(str(part) for part in error["loc"]), error["input"]
    if error["type"] == "extra_forbidden":
        known = _fields_beside(model, error["loc"])
        return (
            f"{place} is no setting{_close(str(error['loc'][-1]), known)}: correct its name, or "
            f"remove it; known are {', '.join(known)}."
        )
    if error["type"] == "missing":
        files = "globals" if model is Globals else "parameters*"
        return f"{place} is missing: set it in conf/<env>/{files}.yml."
    message = error["msg"][0].lower() + error["msg"][1:]
    message = message.removeprefix("value error, ").replace("input should be", "it must be")
    return f"{place} is {value!r}, but {message}: correct it in conf/<env> or in --params."


def _fields_beside(root: type[Params], location: tuple[int | str, ...]) -> list[str]:
    model: Any = root
    for part in location[:-1]:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            break
        annotation = fields[part].annotation if part in fields else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
        model = arguments[-1] if arguments else annotation
    return sorted(getattr(model, "model_fields", {}))


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
