"""Finds the contract of a model: tries the usual ones on real images of the pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.classifier import BlindJudge, ImportedClassifier
from borderline.imported.declared import settings_to_try, sides
from borderline.imported.kinds import first_line, read_network
from borderline.imported.network import NoScores
from borderline.imported.params import JUDGE, ImportedModelParams, Source
from borderline.imported.probe import trial_images
from borderline.imported.user_code import CodeFault
from borderline.params import merged
from borderline.records import LabelledImages

USUAL: dict[str, dict[str, Any]] = {
    "[0, 1]": {"range": [0, 1]},
    "[-1, 1]": {"range": [-1, 1]},
    "[0, 255]": {"range": [0, 255]},
    "ImageNet's mean and std": {
        "range": [0, 1],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}
"""The usual ranges and normalisations, by name."""
_LARGEST_SUM_ERROR = 1e-3


class Trial(NamedTuple):
    """The accuracy of a contract on real images, and the settings of the model with it."""

    name: str
    params: dict[str, Any]
    right: int
    images: int


class Material(NamedTuple):
    """The file and the images that contracts are tried with.

    Attributes:
        labels: The labels of the positive and the negative class among all classes.
    """

    content: bytes
    real: LabelledImages
    labels: tuple[int, int]
    classes: int
    defaults: Mapping[str, Any]

    def model(self, params: Mapping[str, Any]) -> ImportedClassifier:
        """The model with these settings; an error if they are invalid or it cannot be read."""
        try:
            settings = ImportedModelParams.model_validate(merged(self.defaults, params))
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise BorderlineError(f"model has invalid settings: {reason}.") from error
        shape = tuple(self.real["images"].shape[1:])
        return ImportedClassifier(settings, self.content, shape, BlindJudge())

    def with_declared(
        self, source: Mapping[str, Any], usual: Mapping[str, dict[str, Any]]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The contracts to try, by name, with the settings that the file itself declares."""
        whole = merged(self.defaults["source"], source)
        network = read_network(Source.model_validate(whole), self.content)
        image_shape = tuple(self.real["images"].shape[1:])
        needed = settings_to_try(network.input_shape, network.declared(), image_shape)
        tried: list[dict[str, Any]] = []
        for name, contract in _contracts(image_shape[0], usual):
            for settings in needed:
                both = {**contract, **settings}
                if both not in tried:
                    tried.append(both)
                    layout = f" and {settings['layout']}" if len(needed) > 1 else ""
                    size = "x".join(map(str, sides(settings["size"]))) if "size" in settings else ""
                    yield f"{name}{layout}{size and f', resized to {size}'}", both


class _Undecided(BorderlineError):
    """An error that no other contract avoids."""


def try_contracts(
    source: dict[str, Any],
    material: Material,
    options: dict[str, Any],
    usual: Mapping[str, dict[str, Any]],
) -> list[Trial]:
    """The contracts that a model accepts, the most accurate on real images of the pair first.

    Raises:
        BorderlineError: When it accepts none; the error is the first contract's.
    """
    trials: list[Trial] = []
    first_error: BorderlineError | None = None
    for name, contract in material.with_declared(source, usual):
        try:
            trials.append(_try(name, source, contract, material, options))
        except _Undecided:
            raise
        except BorderlineError as error:
            first_error = first_error or error
    if not trials:
        raise first_error or BorderlineError(
            f"mean is {next(iter(usual.values())).get('mean')}, but the model can have 1 or 3 "
            "channels: give one number, or one per channel."
        )
    return sorted(trials, key=lambda trial: -trial.right)


def _contracts(
    channels: int, usual: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    fits: list[dict[str, Any]] = [{}, {"channels": 4 - channels, "fit": True}]
    for fit, (name, contract) in product(fits, usual.items()):
        if len(contract.get("mean", [0])) in (1, fit.get("channels", channels)):
            suffix = f" and {'grey' if fit['channels'] == 1 else 'three channels'}" if fit else ""
            yield f"{name}{suffix}", {**fit, **contract}


def _try(
    name: str,
    source: dict[str, Any],
    contract: dict[str, Any],
    material: Material,
    options: dict[str, Any],
) -> Trial:
    params: dict[str, Any] = {"kind": "imported", "source": source, "input": contract}
    images, labels = trial_images(material.real)
    # The embedding layer is not needed yet, and may not exist with a wrong contract.
    model = material.model({**params, "outputs": "logits", "embedding": JUDGE})
    with torch.no_grad():
        try:
            outputs = model.outputs(images)
        except NoScores as error:
            raise _Undecided(f"model cannot be used: {error}: correct its outputs.") from error
        except Exception as error:
            in_code = isinstance(error, CodeFault)
            raise BorderlineError(
                f"model cannot process images of shape {list(images.shape[1:])} "
                f"({first_line(error)}): change them with --images and --size, or "
                f"{'correct that line' if in_code else 'write its input into conf/ by hand'}."
            ) from error
        params |= _settings_of_outputs(outputs, material, options) | options
        logits = material.model({**params, "embedding": JUDGE})(images)
    return Trial(name, params, int(((logits > 0) == (labels == 1)).sum()), len(labels))


def _settings_of_outputs(
    outputs: Tensor, material: Material, options: dict[str, Any]
) -> dict[str, Any]:
    """The settings ``outputs`` and ``columns``, from the values and the width of the outputs."""
    width = outputs[0].numel()
    shares = bool((outputs >= 0).all() and (outputs <= 1).all())
    if width == 1:
        return {"outputs": "probability" if shares else "logit"}
    sums = bool(((outputs.sum(1) - 1).abs() < _LARGEST_SUM_ERROR).all())
    if max(options.get("columns", [0])) >= width:
        raise _Undecided(
            f"columns is {options['columns']}, but the model gives columns 0 to {width - 1}: "
            "correct it."
        )
    if width > 2 and width != material.classes and "columns" not in options:
        raise _Undecided(
            f"columns is missing, but the model gives {width} classes and the images have "
            f"{material.classes}: name the columns of the positive and the negative class, from 0, "
            "with --columns."
        )
    columns = {"columns": list(material.labels)} if width > 2 else {}
    return {"outputs": "probabilities" if shares and sums else "logits", **columns}
