"""Checks that the checkpoints on disk were made with the present settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from kedro.io import DataCatalog, DatasetError

from borderline.errors import BorderlineError
from borderline.grid import GIVEN_STEP_1, Layout, repeated, seeds
from borderline.imported.catalog import IMPORTED_FILE, PRETRAINED
from borderline.imported.params import FILE_DIGEST, ImportedModelParams
from borderline.params import Setting
from borderline.pipelines.classifier.params import (
    OF_TRAINING,
    PRETRAINED_DIGEST,
    JudgeParams,
    classifier_settings,
    judge_settings,
)
from borderline.pipelines.gasten.params import gan_settings
from borderline.preflight.configuration import Globals, Parameters, trained_members


def check_given_step_1(catalog: DataCatalog, parameters: Parameters, about: Globals) -> None:
    """Make sure that a step 1 from elsewhere is there and fits."""
    from borderline.pipelines.gasten.networks import trained_networks

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
            "so on, as a run saves them): correct it in conf/<env>/globals.yml."
        ) from error
    if epochs[0] > parameters.gan.epochs:
        raise BorderlineError(
            f"gan.epochs is {parameters.gan.epochs}, but {GIVEN_STEP_1} ({path}) begins with epoch "
            f"{epochs[0]}: set gan.epochs to the epoch to go on from."
        )
    for name, value in parameters.pair.fingerprint("pair").items():
        former = made[0].get(name, value)
        if name != "pair.test_share" and former != value:
            raise BorderlineError(
                f"{name} is {value!r}, but {GIVEN_STEP_1} ({path}) was made with {former!r}: "
                "choose the same pair, or other checkpoints."
            )
    try:
        trained_networks(parameters.gan, checkpoint["state"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise BorderlineError(
            f"{GIVEN_STEP_1} is {path!r}, whose networks are not those of gan.architecture "
            f"{parameters.gan.architecture!r}, gan.filters {parameters.gan.filters}, gan.blocks "
            f"{parameters.gan.blocks}, gan.latent_dim {parameters.gan.latent_dim} and gan.loss "
            f"{parameters.gan.loss!r}: set these to the values of that training."
        ) from error


def check_checkpoints(
    catalog: DataCatalog,
    parameters: Parameters,
    layout: Layout,
    imports: Mapping[str, str],
) -> None:
    """Make sure that every checkpoint on disk was made with the present settings.

    Those of stages that do not run now count too, because this run would use their results.
    """
    from borderline.datasets.checkpoints import CheckpointFolder, check_settings, latest

    for name, epochs, settings, called in _trainings(parameters, layout, imports):
        folder = catalog.get(name)
        assert isinstance(folder, CheckpointFolder)
        checkpoint = latest(folder.load(), epochs)
        if checkpoint is not None:
            check_settings(checkpoint, settings, where=folder.path, called=called)


def _trainings(
    p: Parameters, layout: Layout, imports: Mapping[str, str]
) -> Iterator[tuple[str, int, dict[str, Setting], dict[str, str]]]:
    """Every training's checkpoints, epochs, fingerprint, and names of its groups of settings."""
    for name, member in trained_members(p).items():
        assert isinstance(p.judge, JudgeParams)
        settings = judge_settings(p.run, p.pair, p.judge, member)
        yield f"{name}_checkpoints_so_far", p.judge.epochs, settings, {}
    runs = {1: p.run} | dict(enumerate(seeds(p.grid, p.run).values(), start=2))
    step_1 = {n: gan_settings(run, p.pair, p.gan) for n, run in runs.items()}
    for number, settings in step_1.items() if layout.trains_gan else ():
        yield f"{repeated('gan', number)}.checkpoints_so_far", p.gan.epochs, settings, {}
    models = {}
    for model in p.grid.models:
        recipe, digest = p.models[model], imports.get(f"{model}.{IMPORTED_FILE}")
        if not isinstance(recipe, ImportedModelParams):
            models[model] = classifier_settings(p.run, p.pair, recipe, p.classifier)
            # The epochs matter to the generators alone.
            models[model] |= {"classifier.epochs": recipe.training(p.classifier).epochs}
            weights = imports.get(f"{model}.{PRETRAINED}")
            models[model] |= {PRETRAINED_DIGEST: weights} if weights else {}
        else:
            models[model] = recipe.fingerprint("model") | ({FILE_DIGEST: digest} if digest else {})
    for model in layout.trained:
        recipe = p.models[model]
        assert not isinstance(recipe, ImportedModelParams)
        name, training = f"{model}.classifier_checkpoints_so_far", recipe.training(p.classifier)
        yield name, training.epochs, models[model], _called(p, model)
    for model, (name, (generator, number)) in itertools.product(models, layout.generators.items()):
        if not generator.trains:
            continue
        settings = generator.training_settings(
            step_1[number] if layout.trains_gan else {}, models[model], p.gan, p.confusion
        )
        # The band matters to checkpoints with early stopping, even where it is off by now.
        settings |= p.confusion.fingerprint("confusion")
        called = _called(p, model) | {"generator": f"generators.{name}"}
        epochs: int = generator.epochs  # type: ignore[attr-defined]
        yield f"{model}.{name}.checkpoints_so_far", epochs, settings, called


def _called(parameters: Parameters, model: str) -> dict[str, str]:
    """The names in the parameters of the settings of a model and of its training."""
    own = [n for n in OF_TRAINING if getattr(parameters.models[model], n, None) is not None]
    return {"model": f"models.{model}"} | {f"classifier.{n}": f"models.{model}.{n}" for n in own}
