"""Checks an imported model against its settings, on real images of the pair."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.image_sizes import sides, spelled
from borderline.imported.classifier import Imported, ImportedClassifier, prepared
from borderline.imported.judge import ImportedJudge
from borderline.imported.kinds import first_line
from borderline.imported.outputs import check_scores, hint_at_one_sign
from borderline.imported.params import Contract
from borderline.measures.directions import fault_of
from borderline.measures.guessing import (
    balanced_rows,
    better_than_guessing,
    threshold_to_test,
    words_of_threshold,
)
from borderline.records import LabelledImages

IMAGES = 128
"""The number of trial images, half of them of each class."""

# The order of floating-point sums depends on the batch; a larger difference is an error.
_LOGIT_MAY_DIFFER = 0.05


def check_contract(contract: Contract, setting: str, image_shape: tuple[int, ...]) -> None:
    """Check that the images have the size and channels that a model expects.

    Args:
        contract: The images that it expects.
        setting: The place of its settings, for messages: ``models.<name>`` or ``judge``.
        image_shape: Channels, height and width of the images.

    Raises:
        BorderlineError: When they differ and ``fit`` is false, and when ``grey`` is missing.
    """
    channels, *size = image_shape
    setting = f"{setting}.input"
    shape = contract.shape
    if shape not in (None, sides(size)) and not contract.fit:
        raise BorderlineError(
            f"{setting}.size is {spelled(contract.size)}, but the images are {size[0]}x{size[1]} "
            f"(height x width): set source.size in conf/<env>/globals.yml to "
            f"{spelled(contract.size)}, or {setting}.fit to true to resize the images for the "
            "model."
        )
    if contract.channels not in (None, channels) and not contract.fit:
        raise BorderlineError(
            f"{setting}.channels is {contract.channels}, but the images have {channels}: set "
            f"source.colour in conf/<env>/globals.yml, or {setting}.fit to true to convert the "
            "images to grey or to three equal channels."
        )
    if (channels, contract.channels, contract.grey) == (3, 1, None):
        raise BorderlineError(
            f"{setting}.grey is missing, but the images have colours and the model takes grey "
            "ones: set it to luminance (as Pillow, OpenCV and torchvision make grey) or to mean, "
            "as in the training of the model."
        )
    channels = contract.channels or channels
    if contract.mean is not None and len(contract.mean) not in (1, channels):
        raise BorderlineError(
            f"{setting}.mean has {len(contract.mean)} numbers, but the model gets {channels} "
            "channels: give one number per channel."
        )


def check_model(
    setting: str,
    classifier: ImportedClassifier,
    real: LabelledImages,
    device: torch.device,
    threshold: float | None = 0.5,
) -> None:
    """Try a model, whose settings are at ``setting``, on real images of the pair.

    ``threshold`` is its decision threshold; None for one that is not known yet.

    Raises:
        BorderlineError: When it cannot process them, when its outputs contradict its settings, or
            when it is no more accurate than guessing.
    """
    images, labels = (values.to(device) for values in trial_images(real))
    classifier.to(device).eval()
    with torch.no_grad():
        _check_outputs(setting, classifier, _outputs(setting, classifier, images))
        logits = classifier(images)
        _check_logits(setting, logits)
        # A model that divides by the deviation of each image gives NaN for these.
        if len(of_one_shade := _of_one_shade(real["images"])):
            outputs = classifier(of_one_shade[:IMAGES].to(device))
            _check_finite(setting, outputs, "real images of one shade")
        _check_repeats(setting, classifier, images, logits)
        _check_embedding(setting, classifier, images)
    p = torch.sigmoid(logits)
    positive = p.double() > threshold_to_test(threshold, p)
    right, count = int((positive == (labels == 1)).sum()), len(labels)
    if better_than_guessing(count - right, count):
        raise BorderlineError(
            f"{setting} classifies {right} of {count} real images of the pair correctly, no better "
            f"than guessing (exchanged: {count - right} of {count}): exchange the classes "
            f"({setting}.columns, or pair.positive and pair.negative)."
        )
    if not classifier.params.allow_chance and not better_than_guessing(right, count):
        at, other = words_of_threshold(threshold)
        hint = hint_at_one_sign(classifier.params.outputs, logits)
        raise BorderlineError(
            f"{setting} classifies {right} of {count} real images of the pair correctly{at}, "
            f"no better than guessing{hint}: correct {setting}.columns or {setting}.input (range, "
            f"mean, std){other}, or set {setting}.allow_chance to true."
        )


def check_judge(
    setting: str,
    judge: ImportedJudge,
    real: LabelledImages,
    columns: tuple[int, int],
    classes: int,
    device: torch.device,
) -> int:
    """Try a judge on real images of the pair.

    Args:
        setting: The place of its settings, for messages.
        judge: The judge.
        real: Real images of the pair.
        columns: Its columns of the positive and the negative class.
        classes: The number of classes of the source.
        device: The device to try it on.

    Returns:
        The width of its features.

    Raises:
        BorderlineError: As in :func:`check_model`; an encoder without a head may be no more
            accurate than guessing.
    """
    images, labels = (values.to(device) for values in trial_images(real))
    judge.to(device).eval()
    with torch.no_grad():
        outputs = _outputs(setting, judge, images)
        if judge.has_head:
            _check_head(setting, judge, outputs, classes)
        _check_finite(setting, outputs)
        _check_repeats(setting, judge, images, judge(images))
        width = _check_embedding(setting, judge, images)
    if judge.has_head:
        positive, negative = columns
        right = int(((outputs[:, positive] > outputs[:, negative]) == (labels == 1)).sum())
        if not better_than_guessing(right, len(labels)):
            raise BorderlineError(
                f"{setting} classifies {right} of {len(labels)} real images of the pair correctly, "
                f"no better than guessing: correct {setting}.columns or {setting}.input (range, "
                "mean, std)."
            )
    return width


def trial_images(real: LabelledImages, most: int = IMAGES) -> tuple[Tensor, Tensor]:
    """At most ``most`` images (N, C, H, W), half of them of each class, and their labels (N,)."""
    chosen = balanced_rows(real["labels"], most)
    return real["images"][chosen], real["labels"][chosen]


def _of_one_shade(images: Tensor) -> Tensor:
    """The images (N, C, H, W) whose pixels are all equal in each channel."""
    pixels = images.flatten(2)
    return images[(pixels.amin(2) == pixels.amax(2)).all(1)]


def _outputs(setting: str, classifier: Imported, images: Tensor) -> Tensor:
    """The outputs for all images, after a check with all of them and with one."""
    shape = list(prepared(images[:1], classifier.contract).shape[1:])
    for count in (len(images), 1):
        try:
            outputs = classifier.outputs(images[:count])
        except Exception as error:
            if isinstance(error, TypeError) and "it gives a" in str(error):
                raise BorderlineError(
                    f"{setting}: {error}: make it return one tensor of outputs."
                ) from error
            way_out = (
                f"correct {setting}.input (size, channels, dtype), or its source"
                if count > 1
                else "make it accept any number of images (torch.export: dynamic_shapes)"
            )
            raise BorderlineError(
                f"{setting} cannot take {count} images of shape {shape} and type "
                f"{classifier.contract.dtype} ({first_line(error)}): {way_out}."
            ) from error
        if outputs.shape[:1] != (count,):
            raise BorderlineError(
                f"{setting} gives outputs of shape {tuple(outputs.shape)} for {count} images: "
                "make it return one row per image."
            )
    return classifier.outputs(images)


def _check_outputs(model: str, classifier: ImportedClassifier, outputs: Tensor) -> None:
    params = classifier.params
    setting = f"{model}.outputs"
    width = outputs[0].numel()
    if params.outputs in ("logit", "probability"):
        if width != 1:
            raise BorderlineError(
                f"{setting} is {params.outputs!r}, but the model gives {width} numbers per image: "
                "set it to 'logits' or 'probabilities'."
            )
    else:
        if outputs.dim() != 2 or width < 2:
            raise BorderlineError(
                f"{setting} is {params.outputs!r}, but the model gives outputs of shape "
                f"{tuple(outputs.shape)}: set it to 'logit' or 'probability' for one number per "
                "image, or make the model return one per class."
            )
        if params.columns is None and width > 2:
            raise BorderlineError(
                f"{model}.columns is missing, but the model gives {width} classes: set it to "
                "the columns, from 0 on, of [positive, negative]."
            )
        if max(classifier.columns) >= width:
            raise BorderlineError(
                f"{model}.columns is {list(classifier.columns)}, but the model gives "
                f"columns 0 to {width - 1}: correct it."
            )
    check_scores(setting, params.outputs, outputs)


def _check_head(setting: str, judge: ImportedJudge, outputs: Tensor, classes: int) -> None:
    kind, columns = judge.params.outputs, judge.params.columns
    if outputs.dim() != 2 or outputs.shape[1] < 2:
        raise BorderlineError(
            f"{setting}.outputs is {kind!r}, but the judge gives outputs of shape "
            f"{tuple(outputs.shape)}: make it return one number per class, or set outputs to null "
            "for an encoder without a head."
        )
    width = outputs.shape[1]
    if columns is None and width != classes:
        raise BorderlineError(
            f"{setting}.columns is missing, but the judge gives {width} classes and the images "
            f"have {classes}: set it to the columns, from 0 on, of [positive, negative]."
        )
    if columns is not None and max(columns) >= width:
        raise BorderlineError(
            f"{setting}.columns is {list(columns)}, but the judge gives columns 0 to {width - 1}: "
            "correct it."
        )
    if kind is not None:
        check_scores(f"{setting}.outputs", kind, outputs)


def _check_finite(setting: str, outputs: Tensor, which: str = "real images") -> None:
    finite = torch.isfinite(outputs).flatten(1).all(1) if outputs.dim() > 1 else outputs.isfinite()
    if not finite.all():
        raise BorderlineError(
            f"{setting} gives NaN or infinite outputs for "
            f"{int((~finite).sum())} of {len(outputs)} {which}: correct "
            f"{setting}.input (range, mean, std, dtype), or the model."
        )


def _check_logits(setting: str, logits: Tensor) -> None:
    _check_finite(setting, logits)
    if float(logits.max() - logits.min()) < 1e-6:
        raise BorderlineError(
            f"{setting} gives {len(logits)} real images of both classes the same output "
            f"({float(torch.sigmoid(logits[0])):.4f}), so it has no boundary: correct "
            f"{setting}.input (range, mean, std), or train the model."
        )


def _check_repeats(setting: str, classifier: Imported, images: Tensor, logits: Tensor) -> None:
    """Check that a second pass, single images and a copy of the model give the same logits."""
    if float((classifier(images) - logits).abs().max()) > _LOGIT_MAY_DIFFER:
        raise BorderlineError(
            f"{setting} gives other outputs for the same images each time: turn dropout off "
            "(model.eval()) before you save it."
        )
    alone = torch.cat([classifier(images[i : i + 1]) for i in range(4)])
    if float((alone - logits[:4]).abs().max()) > _LOGIT_MAY_DIFFER:
        raise BorderlineError(
            f"{setting} gives an image another output alone than in a batch: set batch "
            "normalisation to evaluation (model.eval()) before you save it."
        )
    again = copy.deepcopy(classifier).to(images.device)(images)
    if float((again - logits).abs().max()) > _LOGIT_MAY_DIFFER:
        raise BorderlineError(
            f"{setting} gives other outputs when it is made again from its source, so the "
            "source does not contain its weights: let its code load or set them."
        )


def _check_embedding(
    setting: str, classifier: ImportedClassifier | ImportedJudge, images: Tensor
) -> int:
    """Check the embeddings; returns their width."""
    setting = f"{setting}.embedding is {classifier.params.embedding!r}"
    try:
        embeddings = classifier.embed(images)
    except Exception as error:
        raise BorderlineError(
            f"{setting}, but the output of {classifier.layer!r} is no embedding "
            f"({first_line(error)}): name another layer."
        ) from error
    needs = "realism needs" if isinstance(classifier, ImportedJudge) else "clustering needs"
    if embeddings.dim() != 2 or len(embeddings) != len(images) or embeddings.shape[1] < 2:
        raise BorderlineError(
            f"{setting}, whose output for {len(images)} images has shape "
            f"{tuple(embeddings.shape)}, but {needs} two or more numbers per image: name another "
            "layer."
        )
    fault = fault_of(embeddings)
    if fault:
        raise BorderlineError(
            f"{setting}, whose embeddings of {len(images)} images {fault}: name another layer, or "
            "correct the model."
        )
    return embeddings.shape[1]
