"""All that is checked before the first node runs, each fault in one sentence."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from borderline.datasets import CheckpointFolder
from borderline.datasets.checkpoints import check_settings, latest
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.grid import Grid
from borderline.params import ConfusionParams, PairParams, Params, RunParams, Setting
from borderline.pipeline_registry import STAGES
from borderline.pipelines.classifier.pairs import labels_of_pair
from borderline.pipelines.classifier.params import ModelParams, TrainingParams
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.gasten.params import GanParams, GenerationParams, GeneratorParams
from borderline.pipelines.metrics.leaderboard import RULES
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.params import PrototypesParams

_LEAST_FREE_BYTES = 500 * 2**20


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

    def classifier_settings(self, model: str) -> dict[str, Setting]:
        """The fingerprint of a model under test."""
        return {
            "run.seed": self.run.seed,
            **self.pair.fingerprint("pair"),
            **self.models[model].fingerprint("model"),
            **self.classifier.fingerprint("classifier"),
        }

    def judge_settings(self) -> dict[str, Setting]:
        """The fingerprint of the judge."""
        return {
            "run.seed": self.run.seed,
            "pair.test_share": self.pair.test_share,
            **self.judge.fingerprint("judge"),
        }

    def gan_settings(self) -> dict[str, Setting]:
        """The fingerprint of step 1."""
        return {
            "run.seed": self.run.seed,
            **self.pair.fingerprint("pair"),
            **self.gan.fingerprint("gan"),
        }

    def generator_settings(self, model: str, generator: str) -> dict[str, Setting]:
        """The fingerprint of step 2."""
        return {
            **self.gan_settings(),
            "gan.epochs": self.gan.epochs,
            **self.classifier_settings(model),
            "classifier.epochs": self.classifier.epochs,
            **self.generators[generator].fingerprint("generator"),
        }


def read_parameters(raw: dict[str, Any]) -> Parameters:
    """Check every setting of a run.

    Args:
        raw: What the config loader gives for ``parameters``.

    Raises:
        BorderlineError: When a setting is missing, misspelt or impossible.
    """
    try:
        parameters = Parameters.model_validate(raw)
    except ValidationError as error:
        raise BorderlineError(_sentence(error.errors()[0])) from error
    if parameters.pair.positive == parameters.pair.negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {parameters.pair.positive!r}: choose two "
            "classes."
        )
    grid = parameters.grid
    _check_names("grid.models", grid.models, parameters.models, "models")
    _check_names("grid.generators", grid.generators, parameters.generators, "generators")
    rule = parameters.metrics.choose
    _check_names("metrics.choose", [rule], [*RULES, *grid.generators], "grid.generators")
    return parameters


def check_inputs(
    pipeline: Pipeline, catalog: DataCatalog, requested: Iterable[str], env: str | None
) -> None:
    """Make sure that what earlier stages leave behind is there.

    Args:
        pipeline: What is about to run.
        catalog: Where its inputs are.
        requested: The names of the pipelines that were asked for.
        env: The conf environment, for the message.

    Raises:
        BorderlineError: When an input is missing; it gives the command that makes it.
    """
    missing = _missing(pipeline, catalog)
    if not missing:
        return
    pipelines.set_requested(None)
    stages = {name: pipelines[name] for name in STAGES}
    needed = set(requested) & set(STAGES)
    gap = missing
    while gap:
        makers = {name for name in stages if stages[name].all_outputs() & gap} - needed
        if not makers:
            break
        needed |= makers
        gap = _missing(sum((stages[name] for name in needed), Pipeline([])), catalog)
    shown = sorted(missing)[0]
    command = f"kedro run{f' --env {env}' if env else ''} --pipelines " + ",".join(
        name for name in STAGES if name in needed
    )
    raise BorderlineError(
        f"{' and '.join(sorted(set(requested) & set(STAGES)) or ['This run'])} needs {shown!r}, "
        f"which an earlier stage makes and which is not there yet: run `{command}`."
    )


def check_source(source: SourceImages, parameters: Parameters) -> None:
    """Make sure that the source has the classes of the pair.

    Raises:
        BorderlineError: When it has not.
    """
    labels_of_pair(source, parameters.pair)


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
    for name, epochs, settings in _trainings(parameters):
        folder = catalog.get(name)
        assert isinstance(folder, CheckpointFolder)
        checkpoint = latest(folder.load(), epochs)
        if checkpoint is not None:
            check_settings(checkpoint, settings, where=folder.path)


def _trainings(parameters: Parameters) -> Iterator[tuple[str, int, dict[str, Setting]]]:
    """Every training's checkpoints, epochs and settings: causes before their consequences."""
    grid = parameters.grid
    yield "judge_checkpoints_so_far", parameters.judge.epochs, parameters.judge_settings()
    yield "gan_checkpoints_so_far", parameters.gan.epochs, parameters.gan_settings()
    for model in grid.models:
        settings = parameters.classifier_settings(model)
        yield f"{model}.classifier_checkpoints_so_far", parameters.classifier.epochs, settings
    for model in grid.models:
        for generator in grid.generators:
            settings = parameters.generator_settings(model, generator)
            epochs = parameters.generators[generator].epochs
            yield f"{model}.{generator}.checkpoints_so_far", epochs, settings


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


def _sentence(error: ErrorDetails) -> str:
    place, value = ".".join(str(part) for part in error["loc"]), error["input"]
    if error["type"] == "extra_forbidden":
        known = _fields_beside(error["loc"])
        return (
            f"{place} is no setting{_close(str(error['loc'][-1]), known)}: correct its name, or "
            f"remove it; known are {', '.join(known)}."
        )
    if error["type"] == "missing":
        return f"{place} is missing: set it in conf/<env>/parameters*.yml."
    message = error["msg"][0].lower() + error["msg"][1:]
    message = message.removeprefix("value error, ").replace("input should be", "it must be")
    return f"{place} is {value!r}, but {message}: correct it in conf/<env> or in --params."


def _fields_beside(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Parameters
    for part in location[:-1]:
        fields = getattr(model, "model_fields", None)
        if fields is None:
            break
        annotation = fields[part].annotation if part in fields else model
        arguments = getattr(annotation, "__args__", ())
        model = arguments[-1] if arguments else annotation
    return sorted(getattr(model, "model_fields", {}))


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
