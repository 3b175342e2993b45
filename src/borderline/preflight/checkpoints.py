"""Checks that the checkpoints on disk were made with the present settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kedro.io import DataCatalog, DatasetError

from borderline.errors import BorderlineError
from borderline.fingerprints import CLASSIFIER_DIGEST
from borderline.grid import GIVEN_STEP_1, Layout, repeated, seeds
from borderline.imported.catalog import IMPORTED_FILE, PRETRAINED
from borderline.imported.params import CODE_DIGEST, FILE_DIGEST, ImportedModelParams
from borderline.ledger import CODE
from borderline.measures.judges import JUDGE_OF
from borderline.params import Setting
from borderline.pipelines.classifier.params import JudgeParams, RepairedModelParams, judge_settings
from borderline.pipelines.gasten.gan_params import gan_settings
from borderline.pipelines.gasten.noise_file import NOISE_FILE
from borderline.pipelines.gasten.params import BEST, measured_settings, seed_settings
from borderline.preflight.configuration import Globals, Parameters, trained_members
from borderline.preflight.repaired import REPAIRED
from borderline.seeds import run_of
from borderline.training.params import (
    OF_TRAINING,
    PRETRAINED_DIGEST,
    TrainedModelParams,
    classifier_settings,
)

if TYPE_CHECKING:
    from borderline.datasets.checkpoints import Checkpoint


def check_given_step_1(catalog: DataCatalog, parameters: Parameters, about: Globals) -> None:
    """Make sure that a step 1 from elsewhere is there and fits."""
    from borderline.pipelines.gasten.checkpoint_choice import best_epoch
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
    history = [row for row in made[2] if row["epoch"] <= parameters.gan.epochs]
    starts = [
        (name, getattr(variant, "start", None))
        for name in parameters.grid.generators
        for variant in parameters.generators[name].variants().values()
    ]
    for name, start in starts:
        if start in BEST and best_epoch(history, BEST[start]) is None:
            raise BorderlineError(
                f"generators.{name}.start is {start!r}, but {GIVEN_STEP_1} ({path}) was not "
                f"measured by {BEST[start]}: set it to 'last' or the number of an epoch."
            )
        if isinstance(start, int) and start not in (0, *epochs):
            raise BorderlineError(
                f"generators.{name}.start is {start}, but {GIVEN_STEP_1} ({path}) has no "
                f"checkpoint of that epoch: choose one of {', '.join(map(str, epochs))}, or "
                "'best' or 'last'."
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
        gan = parameters.gan.fingerprint("gan")
        raise BorderlineError(
            f"{GIVEN_STEP_1} is {path!r}, whose networks are not those of gan.architecture "
            f"{gan['gan.architecture']!r}, gan.filters {gan['gan.filters']}, gan.blocks "
            f"{gan['gan.blocks']}, gan.latent_dim {gan['gan.latent_dim']} and gan.loss "
            f"{gan['gan.loss']!r}: set these to the values of that training."
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
            if name.endswith(".checkpoints_so_far"):
                _check_scores(checkpoint, name, folder.path, layout)


def _check_scores(checkpoint: Checkpoint, name: str, where: str, layout: Layout) -> None:
    """Make sure that all judges have measured the epochs so far."""
    # The LeNet measures all epochs, and no model under test those of step 1.
    usual = {"lenet", "classifier"} if name.count(".") == 1 else {"lenet"}
    judges = {*layout.epoch_judges} - usual
    for distance, judge in JUDGE_OF.items():
        if judge in judges and any(distance not in row for row in checkpoint["history"]):
            raise BorderlineError(
                f"metrics.epoch_judges names {judge!r}, but the checkpoints in {where} were made "
                f"without its {distance}: take {judge} out, move that folder away to train again, "
                "or give the run another data_folder (conf/<env>/globals.yml)."
            )


def _trainings(
    p: Parameters, layout: Layout, imports: Mapping[str, str]
) -> Iterator[tuple[str, int, dict[str, Setting], dict[str, str]]]:
    """Every training's checkpoints, epochs, fingerprint, and names of its groups of settings."""
    for name, member in trained_members(p).items():
        assert isinstance(p.judge, JudgeParams)
        settings = judge_settings(p.run, p.pair, p.judge, member)
        yield f"{name}_checkpoints_so_far", p.judge.epochs, settings, {}
    runs, numbers = seeds(p.grid, p.run), range(1, p.grid.runs + 1)
    of_step_1, of_step_2 = (
        {n: runs.get(run_of(runs, n, step_2=step_2) or "", p.run) for n in numbers}
        for step_2 in (False, True)
    )
    measured = measured_settings(p.metrics.epoch_reference, imports.get(NOISE_FILE))
    step_1 = {n: gan_settings(run, p.pair, p.gan) for n, run in of_step_1.items()}
    for number, settings in step_1.items() if layout.trains_gan else ():
        name = f"{repeated('gan', number)}.checkpoints_so_far"
        called = {"run": f"grid.seeds, repetition {number}: run"} if p.grid.seeds else {}
        yield name, p.gan.epochs, settings | measured, called
    for name, (generator, number) in layout.once.items():
        settings = generator.shared_settings(of_step_1[number], p.pair)
        # Its latents are not those of a file.
        settings |= measured_settings(p.metrics.epoch_reference, None)
        called = {"generator": f"generators.{name}"}
        epochs: int = generator.epochs  # type: ignore[attr-defined]
        yield f"{name}.checkpoints_so_far", epochs, settings, called
    models: dict[str, dict[str, Setting]] = {}
    for model in p.grid.models:
        # A repaired model has the fingerprint of the other one, and other weights.
        of = layout.repaired.get(model, model)
        recipe, file = p.models[of], f"{of}.{IMPORTED_FILE}"
        assert not isinstance(recipe, RepairedModelParams)
        if not isinstance(recipe, ImportedModelParams):
            models[model] = classifier_settings(p.run, p.pair, recipe, p.classifier)
            # The epochs matter to the generators alone.
            models[model] |= {"classifier.epochs": recipe.training(p.classifier).epochs}
            weights = imports.get(f"{of}.{PRETRAINED}")
            models[model] |= {PRETRAINED_DIGEST: weights} if weights else {}
        else:
            digests = {FILE_DIGEST: imports.get(file), CODE_DIGEST: imports.get(f"{file}{CODE}")}
            models[model] = recipe.fingerprint("model")
            models[model] |= {name: digest for name, digest in digests.items() if digest}
        weights = imports.get(f"{of}.{REPAIRED}") if model in layout.repaired else None
        models[model] |= {CLASSIFIER_DIGEST: weights} if weights else {}
    for model in layout.trained:
        recipe = p.models[model]
        assert isinstance(recipe, TrainedModelParams)
        name, training = f"{model}.classifier_checkpoints_so_far", recipe.training(p.classifier)
        yield name, training.epochs, models[model], _called(p, model)
    confusion = p.confusion.fingerprint("confusion")
    for model, (name, (generator, number)) in itertools.product(models, layout.generators.items()):
        if not generator.trains:
            continue
        settings = generator.training_settings(
            step_1[number] if layout.trains_gan else {}, models[model], p.gan, confusion
        )
        # The band matters to checkpoints with early stopping, even where it is off by now.
        settings |= confusion | measured | seed_settings(of_step_2[number])
        called = _called(p, layout.repaired.get(model, model))
        called |= {
            "generator": f"generators.{name}",
            CLASSIFIER_DIGEST: f"the digest of the weights of {model}",
        }
        epochs = generator.epochs  # type: ignore[attr-defined]
        yield f"{model}.{name}.checkpoints_so_far", epochs, settings, called


def _called(parameters: Parameters, model: str) -> dict[str, str]:
    """The names in the parameters of the settings of a model and of its training."""
    own = [n for n in OF_TRAINING if getattr(parameters.models[model], n, None) is not None]
    return {"model": f"models.{model}"} | {f"classifier.{n}": f"models.{model}.{n}" for n in own}
