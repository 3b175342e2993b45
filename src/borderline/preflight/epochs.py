"""Checks that every epoch can be measured as the rules need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kedro.io import DataCatalog

from borderline.errors import BorderlineError
from borderline.grid import lay_out
from borderline.measures import INCEPTION_FEATURES
from borderline.measures.judges import JUDGE_OF, Distance, check_more_than_features
from borderline.pipelines.classifier.params import JudgeParams
from borderline.pipelines.gasten.noise_file import NOISE_FILE, read_noise
from borderline.preflight.configuration import Parameters, repaired_models
from borderline.training.params import JUDGE_FEATURES, ModelParams

if TYPE_CHECKING:
    from borderline.datasets.image_source import SourceImages


def check_rules(parameters: Parameters) -> None:
    """Make sure that every distance that a rule reads is measured."""
    _check_step_1(parameters)
    judges = list(parameters.metrics.epoch_judges)
    for setting, distance in _reads(parameters):
        judge = JUDGE_OF[distance]
        if judge not in judges:
            raise BorderlineError(
                f"{setting} needs {distance} of every epoch, but metrics.epoch_judges is {judges}: "
                f"add {judge!r} to it."
            )
    front, grid = parameters.metrics.front, parameters.grid
    if JUDGE_OF[front] not in grid.judges:
        raise BorderlineError(
            f"metrics.front is {front!r}, but grid.judges is {list(grid.judges)}: add "
            f"{JUDGE_OF[front]!r} to it, so that generators have that distance too."
        )


def _check_step_1(parameters: Parameters) -> None:
    rule = parameters.gan.early_stopping
    for setting, score in rule.metrics().items() if rule is not None else ():
        if score not in ("fd_lenet", "fid"):
            raise BorderlineError(
                f"gan.early_stopping.{setting} is {score!r}, but step 1 has no model under test: "
                "set it to 'fd_lenet' or 'fid'."
            )


def _reads(parameters: Parameters) -> Iterator[tuple[str, Distance]]:
    """The settings that read a distance of epochs, except the front of the LeNet."""
    rule, front = parameters.gan.early_stopping, parameters.metrics.front
    for distance in () if rule is None else sorted(rule.distances()):
        yield "gan.early_stopping", distance
    grid = parameters.grid.model_copy(update={"runs": 1, "seeds": None, "step_2_seeds": None})
    placed = lay_out(grid, parameters.generators, trains_gan=True).generators
    for name, (settings, _) in placed.items():
        for distance in sorted(settings.distances()):
            yield f"generators.{name} (early_stopping or start)", distance
    if front != "fd_lenet":
        yield "metrics.front", front


def check_number(parameters: Parameters, width: int | None = None) -> None:
    """Make sure that the number of latent vectors fits the rules and the judges.

    ``width`` is the number of an imported judge's features; None if it is not known yet.
    """
    generation = parameters.generation
    noise = generation.test_noise
    for setting, size in sizes(parameters).items():
        if size < noise:
            raise BorderlineError(
                f"{setting} is {size}, but generators must be measured on as many images as epochs "
                f"({_counted(parameters, ' ')}): raise {setting} or use fewer latent vectors."
            )
    width = JUDGE_FEATURES if isinstance(parameters.judge, JudgeParams) else width
    read = {distance for _, distance in _reads(parameters)}
    if width is not None and noise <= width and "fd_lenet" in read:
        raise BorderlineError(
            f"{_counted(parameters, ' is ')}, but fd_lenet, which early_stopping or start needs, "
            f"takes more images than the judge's {width} features: raise it."
        )
    if "inception" in parameters.metrics.epoch_judges:
        check_more_than_features("inception", INCEPTION_FEATURES, noise)


def sizes(parameters: Parameters) -> dict[str, int]:
    """The numbers of images that generators are measured on, by setting."""
    return {
        "metrics.sample_size": parameters.metrics.sample_size,
        "generation.images": parameters.generation.images,
    }


def _counted(parameters: Parameters, between: str) -> str:
    """The number of latent vectors, by setting."""
    given = parameters.generation.noise_file is not None
    setting = "number of vectors in generation.noise_file" if given else "generation.test_noise"
    return f"{setting}{between}{parameters.generation.test_noise}"


def with_noise_file(
    parameters: Parameters, catalog: DataCatalog
) -> tuple[Parameters, dict[str, str]]:
    """The settings with the number of latent vectors in the file, and the digest by its dataset.

    Raises:
        BorderlineError: When the file cannot be read, or its vectors do not fit the settings.
    """
    if parameters.generation.noise_file is None:
        return parameters, {}
    from borderline.datasets.tensors import digest

    noise = read_noise(catalog.load(NOISE_FILE), parameters.gan.latent_dim)
    generation = parameters.generation.model_copy(update={"test_noise": len(noise)})
    counted = parameters.model_copy(update={"generation": generation})
    check_number(counted)
    return counted, {NOISE_FILE: digest(noise)}


def check_images(source: SourceImages, parameters: Parameters, of_pair: int) -> None:
    """Make sure that there are more images than features of the judges beside the LeNet.

    ``of_pair`` is the number of the pair's training images.
    """
    noise, judges = parameters.generation.test_noise, parameters.metrics.epoch_judges
    real = of_pair
    if parameters.metrics.epoch_reference == "all":
        real = len(source.train["labels"])
    if "inception" in judges:
        check_more_than_features("inception", INCEPTION_FEATURES, noise, real)
    for name in parameters.grid.models if "classifier" in judges else ():
        model = parameters.models[repaired_models(parameters).get(name, name)]
        if isinstance(model, ModelParams):
            from borderline.training.networks import build_model

            network = build_model(model.kind, model.filters, source.train["images"].shape[1:])
            check_more_than_features("classifier", network.head.in_features, noise, real)
