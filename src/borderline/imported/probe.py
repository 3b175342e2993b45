"""Whether a model from elsewhere does what its settings say: tried on real images of the pair."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.classifier import ImportedClassifier, prepared
from borderline.imported.kinds import first_line
from borderline.imported.params import Contract
from borderline.records import LabelledImages

IMAGES = 128
"""Most images of the pair that a model is tried on."""

_SUM_MAY_DIFFER = 1e-3
# Another batch may be computed in another order; more than this is another opinion.
_LOGIT_MAY_DIFFER = 0.05
_OUTSIDE = 1e-4


def check_contract(contract: Contract, name: str, image_shape: tuple[int, ...]) -> None:
    """Make sure that images are of the size and the channels that a model expects.

    Args:
        contract: What it expects.
        name: What the model is called.
        image_shape: Channels, height and width of the images.

    Raises:
        BorderlineError: When they are not, and are not made to fit.
    """
    channels, size, _ = image_shape
    setting = f"models.{name}.input"
    if contract.size not in (None, size) and not contract.fit:
        raise BorderlineError(
            f"{setting}.size is {contract.size}, but the images are {size}x{size}: set "
            f"source.size in conf/<env>/globals.yml to {contract.size}, or {setting}.fit to true "
            "to have images resized for the model."
        )
    if contract.channels not in (None, channels) and not contract.fit:
        raise BorderlineError(
            f"{setting}.channels is {contract.channels}, but the images have {channels}: set "
            f"source.colour in conf/<env>/globals.yml, or {setting}.fit to true to have images "
            "made grey or three times the same for the model."
        )
    channels = contract.channels or channels
    if contract.mean is not None and len(contract.mean) not in (1, channels):
        raise BorderlineError(
            f"{setting}.mean has {len(contract.mean)} numbers, but the model gets {channels} "
            "channels: give one a channel."
        )


def check_model(
    name: str, classifier: ImportedClassifier, real: LabelledImages, device: torch.device
) -> None:
    """Try a model on real images of the pair.

    Args:
        name: What the model is called.
        classifier: The model.
        real: Real images of the pair, labels 0 and 1.
        device: Where to compute.

    Raises:
        BorderlineError: When it cannot take them, when what it gives is not what its settings say,
            or when it knows the pair no better than by guessing.
    """
    params = classifier.params
    images, labels = (own.to(device) for own in some_of_both(real))
    classifier.to(device).eval()
    with torch.no_grad():
        outputs = _tried(name, classifier, images)
        _check_outputs(name, classifier, outputs)
        logits = classifier(images)
        if not torch.isfinite(logits).all():
            raise BorderlineError(
                f"models.{name} gives NaN or infinite outputs for "
                f"{int((~torch.isfinite(logits)).sum())} of {len(images)} real images: correct "
                f"models.{name}.input (range, mean, std, dtype), or the model."
            )
        if float(logits.max() - logits.min()) < 1e-6:
            raise BorderlineError(
                f"models.{name} gives {len(images)} real images of both classes the same output "
                f"({float(torch.sigmoid(logits[0])):.4f}), so it has no boundary: correct "
                f"models.{name}.input (range, mean, std), or train the model."
            )
        if float((classifier(images) - logits).abs().max()) > _LOGIT_MAY_DIFFER:
            raise BorderlineError(
                f"models.{name} gives other outputs for the same images each time: switch its "
                "dropout off (model.eval()) before you save it."
            )
        alone = torch.cat([classifier(images[i : i + 1]) for i in range(4)])
        if float((alone - logits[:4]).abs().max()) > _LOGIT_MAY_DIFFER:
            raise BorderlineError(
                f"models.{name} gives an image another output alone than among others: switch its "
                "batch normalisation to evaluation (model.eval()) before you save it."
            )
        if (
            float((copy.deepcopy(classifier).to(device)(images) - logits).abs().max())
            > _LOGIT_MAY_DIFFER
        ):
            raise BorderlineError(
                f"models.{name} gives other outputs once it is made again from its source, so its "
                "weights are not in there: let it read or set its weights when it is made."
            )
        try:
            embeddings = classifier.embed(images)
        except Exception as error:
            raise BorderlineError(
                f"models.{name}.embedding is {params.embedding!r}, and what {classifier.layer!r} "
                f"gives is no embedding ({first_line(error)}): name another layer."
            ) from error
    if embeddings.dim() != 2 or len(embeddings) != len(images) or embeddings.shape[1] < 2:
        raise BorderlineError(
            f"models.{name}.embedding is {params.embedding!r}, whose output for {len(images)} "
            f"images is of shape {tuple(embeddings.shape)}, but two or more numbers an image are "
            "needed to cluster: name another layer."
        )
    right = int(((logits > 0) == (labels == 1)).sum())
    if 2 * right <= len(labels):
        raise BorderlineError(
            f"models.{name} is right about {right} of {len(labels)} real images of the pair, which "
            f"is no better than guessing: exchange the classes (models.{name}.columns, or "
            f"pair.positive and pair.negative), or correct models.{name}.input (range, mean, std)."
        )


def some_of_both(real: LabelledImages) -> tuple[Tensor, Tensor]:
    """The first images of both classes, and their labels."""
    rows = [(real["labels"] == label).nonzero()[: IMAGES // 2, 0] for label in (0, 1)]
    chosen = torch.cat(rows)
    return real["images"][chosen], real["labels"][chosen]


def _tried(name: str, classifier: ImportedClassifier, images: Tensor) -> Tensor:
    """What the network gives, for one image and for many."""
    shape = list(prepared(images[:1], classifier.params.input).shape[1:])
    for count in (len(images), 1):
        try:
            outputs = classifier.outputs(images[:count])
        except Exception as error:
            if isinstance(error, TypeError) and "it gives a" in str(error):
                raise BorderlineError(
                    f"models.{name}: {error}: make it give one tensor of outputs."
                ) from error
            way_out = (
                f"correct models.{name}.input (size, channels, dtype), or its source"
                if count > 1
                else "make it take any number of images (of torch.export, with dynamic_shapes)"
            )
            raise BorderlineError(
                f"models.{name} cannot take {count} images of shape {shape} and type "
                f"{classifier.params.input.dtype} ({first_line(error)}): {way_out}."
            ) from error
        if outputs.shape[:1] != (count,):
            raise BorderlineError(
                f"models.{name} gives outputs of shape {tuple(outputs.shape)} for {count} images: "
                "make it give one row an image."
            )
    return classifier.outputs(images)


def _check_outputs(name: str, classifier: ImportedClassifier, outputs: Tensor) -> None:
    params = classifier.params
    setting = f"models.{name}.outputs"
    width = outputs[0].numel()
    if params.outputs in ("logit", "probability"):
        if width != 1:
            raise BorderlineError(
                f"{setting} is {params.outputs!r}, but the model gives {width} numbers an image: "
                "set it to 'logits' or 'probabilities'."
            )
    else:
        if outputs.dim() != 2 or width < 2:
            raise BorderlineError(
                f"{setting} is {params.outputs!r}, but the model gives outputs of shape "
                f"{tuple(outputs.shape)}: set it to 'logit' or 'probability' for one number an "
                "image, or make it give one a class."
            )
        if params.columns is None and width > 2:
            raise BorderlineError(
                f"models.{name}.columns is missing, but the model gives {width} classes: set it to "
                "the columns, from 0 on, of [positive, negative]."
            )
        if max(classifier.columns) >= width:
            raise BorderlineError(
                f"models.{name}.columns is {list(classifier.columns)}, but the model gives "
                f"columns 0 to {width - 1}: correct it."
            )
    if params.outputs in ("probability", "probabilities") and torch.isfinite(outputs).all():
        low, high = float(outputs.min()), float(outputs.max())
        sums = outputs.sum(1) if params.outputs == "probabilities" else torch.ones(1)
        if low < -_OUTSIDE or high > 1 + _OUTSIDE:
            raise BorderlineError(
                f"{setting} is {params.outputs!r}, but the model gives numbers from {low:.3g} to "
                f"{high:.3g}: set it to {'logit' if width == 1 else 'logits'!r}."
            )
        if float((sums - 1).abs().max()) > _SUM_MAY_DIFFER:
            raise BorderlineError(
                f"{setting} is 'probabilities', but those of an image add up to "
                f"{float(sums[(sums - 1).abs().argmax()]):.3f} and not to 1: set it to 'logits', "
                "or make the model end in a softmax."
            )
