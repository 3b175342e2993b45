"""Finds the contract of a model: tries the usual ones on real images of the pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, TypeVar, get_args

import torch
from pydantic import ValidationError
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.image_sizes import sides
from borderline.imported.classifier import BlindJudge, ImportedClassifier
from borderline.imported.columns import Assignment, Pair
from borderline.imported.declared import declared_for, settings_to_try
from borderline.imported.evidence import log_likelihood
from borderline.imported.kinds import first_line
from borderline.imported.network import Network, NoScores
from borderline.imported.outputs import Outputs, check_no_labels, kind_of_outputs
from borderline.imported.params import JUDGE, Grey, ImportedModelParams
from borderline.imported.probe import trial_images
from borderline.imported.user_code import CodeFault
from borderline.measures.guessing import threshold_to_test
from borderline.params import Params, merged
from borderline.records import LabelledImages

IMAGES = 512
"""The number of trial images, half of them of each class."""
USUAL: dict[str, dict[str, Any]] = {
    "[0, 1]": {"range": [0, 1]},
    "ImageNet's mean and std": {
        "range": [0, 1],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
    "[-1, 1]": {"range": [-1, 1]},
    "[0, 255]": {"range": [0, 255]},
}
"""The usual ranges and normalisations by name, the most usual first."""
OF_IMAGES = "the mean and std of the images"
"""The name of the contract that is taken only on request: many trainings measure their images."""
_OF_IMAGENET = ("torchvision", "timm")
_BATCH = 64
_SMALLEST_STD = 1e-3
AnyParams = TypeVar("AnyParams", bound=Params)


class Trial(NamedTuple):
    """A contract that a model accepts, and its outputs for the trial images.

    Attributes:
        contract: The settings of ``input``.
        outputs: Shape (N, K).
        labels: 1 for the positive class, else 0; shape (N,).
        threshold: The decision threshold of the model; None if it is not known yet.
    """

    name: str
    contract: dict[str, Any]
    outputs: Tensor
    labels: Tensor
    threshold: float | None = 0.5


class Fit(NamedTuple):
    """A contract with an assignment of columns, and how well they fit the trial images."""

    trial: Trial
    kind: Outputs
    assignment: Assignment

    @property
    def name(self) -> str:
        """The name of the contract."""
        return self.trial.name

    @property
    def is_of_images(self) -> bool:
        """Whether the contract is the images' own mean and standard deviation."""
        return self.name.startswith(OF_IMAGES)

    @property
    def logits(self) -> Tensor:
        """The logits (N,) of the positive against the negative class."""
        return self.assignment.logits(self.trial.outputs, self.kind)

    @property
    def likelihoods(self) -> Tensor:
        """The log-likelihood of each label under the probability of the pair, shape (N,)."""
        return log_likelihood(self.logits, self.trial.labels)

    @property
    def likelihoods_of_all(self) -> Tensor:
        """The log-likelihood of each label among all columns, shape (N,)."""
        return self.assignment.log_likelihood(self.trial.outputs, self.kind, self.trial.labels)

    @property
    def right(self) -> int:
        """The number of images that are classified correctly."""
        return self.right_with(self.logits)

    def right_with(self, logits: Tensor) -> int:
        """The number of images that other logits (N,) would classify correctly."""
        p = torch.sigmoid(logits)
        positive = p.double() > threshold_to_test(self.trial.threshold, p)
        return int((positive == (self.trial.labels == 1)).sum())

    @property
    def images(self) -> int:
        """The number of trial images."""
        return len(self.trial.labels)


class _Undecided(BorderlineError):
    """An error that no other contract avoids."""


class Material(NamedTuple):
    """The file and the images that contracts are tried with.

    Attributes:
        source: The settings of the model's source.
        content: The bytes of its file.
        real: Real images of the pair.
        network: The network of the file, for what it declares.
        defaults: The default settings of an imported model.
        threshold: The decision threshold of the model; None if it is not known yet.
    """

    source: Mapping[str, Any]
    content: bytes
    real: LabelledImages
    pair: Pair
    network: Network
    defaults: Mapping[str, Any]
    threshold: float | None = 0.5

    def model(self, params: Mapping[str, Any]) -> ImportedClassifier:
        """The model with these settings; an error if they are invalid or it cannot be read."""
        entry = {"kind": "imported", "source": dict(self.source), **params}
        settings = valid(ImportedModelParams, merged(self.defaults, entry))
        shape = tuple(self.real["images"].shape[1:])
        return ImportedClassifier(settings, self.content, shape, BlindJudge())


def valid(model: type[AnyParams], values: Mapping[str, Any]) -> AnyParams:
    """The settings of a model in their types.

    Raises:
        BorderlineError: When they are invalid.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BorderlineError(f"model has invalid settings: {reason}.") from error


def usual_contracts(source: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The usual contracts, the most usual for this source first."""
    name = "ImageNet's mean and std"
    if str(source.get("import_path")).partition(".")[0] in _OF_IMAGENET:
        return {name: USUAL[name], **USUAL}
    return USUAL


def normalisation_of(images: Tensor) -> dict[str, dict[str, Any]]:
    """The contract that normalises by the images' own mean and standard deviation."""
    mean = [round((value + 1) / 2, 4) for value in images.mean((0, 2, 3)).tolist()]
    std = [round(value / 2, 4) for value in images.std((0, 2, 3)).tolist()]
    if min(std) < _SMALLEST_STD:
        return {}
    values = f"{', '.join(map(str, mean))} and {', '.join(map(str, std))}"
    return {f"{OF_IMAGES} ({values})": {"range": [0, 1], "mean": mean, "std": std}}


def try_contracts(
    material: Material, usual: Mapping[str, dict[str, Any]]
) -> tuple[list[Trial], Outputs]:
    """The contracts that a model accepts in their order, and what its outputs are.

    Raises:
        BorderlineError: When it accepts none; the error is the first contract's. Also when the
            outputs are labels.
    """
    images, labels = trial_images(material.real, IMAGES)
    trials: list[Trial] = []
    errors: list[BorderlineError] = []
    for name, contract in _contracts(material, usual):
        try:
            outputs = outputs_for(material, contract, images)
            check_no_labels("the model gives", outputs)
            trials.append(Trial(name, contract, outputs, labels, material.threshold))
        except _Undecided:
            raise
        except BorderlineError as error:
            errors.append(error)
    if not trials:
        raise next(iter(errors), None) or BorderlineError(
            f"mean is {next(iter(usual.values())).get('mean')}, but the model can have 1 or 3 "
            "channels: give one number, or one per channel."
        )
    # A wrong contract may hide a kind, but cannot feign one for all contracts.
    return trials, kind_of_outputs(torch.cat([trial.outputs for trial in trials]))


def fits_of(trials: Sequence[Trial], kind: Outputs, assignment: Assignment) -> list[Fit]:
    """All contracts with one assignment, the most likely first; the more usual first of equals."""
    fits = [Fit(trial, kind, assignment) for trial in trials]
    return sorted(fits, key=lambda fit: -float(fit.likelihoods.mean()))


def _contracts(
    material: Material, usual: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The contracts to try, by name, with the settings that the file itself declares."""
    image_shape = tuple(material.real["images"].shape[1:])
    channels, shape = image_shape[0], material.network.input_shape
    declared = declared_for(shape, material.network.declared(), image_shape)
    needed = settings_to_try(shape, declared, image_shape)
    converted: list[dict[str, Any]] = [{"channels": 4 - channels, "fit": True}]
    if channels == 3:
        converted = [{**converted[0], "grey": grey} for grey in get_args(Grey)]
    known = "channels" in declared
    fits = [{}, *converted]
    if known:
        fits = [{}] if declared["channels"] == channels else converted
    for fit, (name, contract), settings in product(fits, usual.items(), needed):
        if len(contract.get("mean", [0])) in (1, fit.get("channels", channels)):
            into = f"grey by {fit['grey']}" if "grey" in fit else "three channels"
            suffix = f" and {into}" if fit and (not known or "grey" in fit) else ""
            layout = f" and {settings['layout']}" if len(needed) > 1 else ""
            whole = {**settings, **contract, **fit}
            size = "x".join(map(str, sides(whole["size"]))) if "size" in whole else ""
            resized = f", resized to {size}" if size else ""
            yield f"{name}{suffix}{layout}{resized}", whole


def outputs_for(material: Material, contract: dict[str, Any], images: Tensor) -> Tensor:
    """The outputs (N, K) for images (N, C, H, W) with a contract.

    Raises:
        BorderlineError: When the model cannot process them, or has no numbers for them.
    """
    # The embedding layer is not needed yet, and may not exist with a wrong contract.
    model = material.model({"input": contract, "outputs": "logits", "embedding": JUDGE})
    outputs = []
    with torch.no_grad():
        for batch in images.split(_BATCH):
            try:
                answer = model.outputs(batch)
            except NoScores as error:
                raise _Undecided(f"model cannot be used: {error}: correct its outputs.") from error
            except Exception as error:
                in_code = isinstance(error, CodeFault)
                raise BorderlineError(
                    f"model cannot process images of shape {list(images.shape[1:])} "
                    f"({first_line(error)}): "
                    f"{'correct that line, or ' if in_code else ''}change the images with "
                    "--size or --colour."
                ) from error
            if answer.shape[:1] != batch.shape[:1]:
                raise BorderlineError(
                    f"model gives outputs of shape {tuple(answer.shape)} for {len(batch)} images: "
                    "make it return one row per image."
                )
            outputs.append(answer.reshape(len(batch), -1))
    together = torch.cat(outputs)
    if not torch.isfinite(together).all():
        raise BorderlineError(
            f"model gives NaN or infinite outputs for real images with {contract}: name its range "
            "with --input-range, or correct the model."
        )
    return together
