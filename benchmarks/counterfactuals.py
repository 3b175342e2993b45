"""The smallest change of a decision: our search in latents against two peers, on the same images.

HopSkipJump (Chen et al. 2020) of the Adversarial Robustness Toolbox sees decisions only, and
searches in pixels: `pip install adversarial-robustness-toolbox`. Pixel bisection goes straight
towards the nearest real image of the other decision. All start from the same real test images,
those that can be encoded, and end a little beyond the boundary.

Evaluations are the images that the model has judged for one image that is explained. `encoding` of
ours needs none. Distances are root mean squares of the pixels, which are in [-1, 1], and in the
judge's features. `realistic` is the precision: the share of changed images inside the manifold of
the real training images in the judge's features.

    python benchmarks/counterfactuals.py --images 200
    python benchmarks/counterfactuals.py --digits --images 8 --epochs 1 --iterations 2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from common import (
    BOUNDARY,
    CONF,
    RUN,
    fashion_or_digits,
    gan_params,
    machine,
    trained_gan,
    trained_judge,
    trained_model,
)
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.config_loader import base_settings
from borderline.counterfactuals.explain import OWN, Asked, Surroundings, explain_images
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.datasets.image_source import ImageSource
from borderline.measures.class_names import ClassNames
from borderline.measures.confusion import is_positive
from borderline.measures.inference import embed, predict
from borderline.measures.realism import Reference, is_within
from borderline.params import PairParams
from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair, split_source
from borderline.records import LabelledImages, take_rows
from borderline.sampling import GanSampler

NEIGHBOURS = 5
BEYOND = 0.51
"""The p at which a search ends, or 1 minus this."""


class Counted(nn.Module):
    """A model that counts the images that it judges."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.images = model, 0

    def forward(self, images: Tensor) -> Tensor:
        """Images to logits."""
        self.images += len(images)
        logits: Tensor = self.model(images)
        return logits

    def embed(self, images: Tensor) -> Tensor:
        """Images to embeddings, which count as no evaluation."""
        features: Tensor = self.model.embed(images)  # type: ignore[operator]
        return features


def world(epochs: int, digits: bool) -> Surroundings:
    """Model, judge and GAN, trained on the real images, and these."""
    source, pair = fashion_or_digits()
    if digits:
        source = ImageSource(kind="mnist_sample")
        pair = PairParams(positive=7, negative=1, test_share=0.2)
    images = source.load()
    labels = labels_of_pair(images, pair)
    everything, rest = split_source(images, pair.test_share, RUN.seed_for("test images"))
    train, test = images_of_pair(everything, *labels), images_of_pair(rest, *labels)
    model, judge = trained_model(train), trained_judge(everything)
    params, device = gan_params("fast", steps_per_epoch=120), RUN.torch_device()
    generator = trained_gan(params, train["images"], epochs)
    reference = Reference.of(embed(judge, train["images"], device), NEIGHBOURS)
    return Surroundings(
        Counted(model),
        GanSampler(generator=generator),
        judge,
        Committee(members=(), classes=("0", "1"), positive=1, negative=0),
        train,
        test,
        {
            "train_p": predict(model, train["images"], device),
            "test_p": predict(model, test["images"], device),
            "train_embeddings": embed(model, train["images"], device),
            "test_embeddings": embed(model, test["images"], device),
        },
        {f"lenet.{name}": value for name, value in reference._asdict().items()},
        BOUNDARY,
        ClassNames("0", "1"),
    )


def ours(given: Surroundings, asked: Asked) -> tuple[Tensor, Tensor]:
    """Rows of the images that have a change, and their changed images."""
    values = base_settings(CONF)["counterfactuals"] | {"flipped": BEYOND}
    found, _ = explain_images(asked, given, CounterfactualsParams.model_validate(values), RUN)
    return found["rows"], found["flipped"]


def bisection(given: Surroundings, asked: Asked) -> tuple[Tensor, Tensor]:
    """Blends with the nearest real image of the other decision."""

    class NoLatents(GanSampler):
        decoder = None  # type: ignore[assignment]

    sampler = NoLatents(generator=given.sampler.decoder)
    return ours(given._replace(sampler=sampler), asked)


def hop_skip_jump(given: Surroundings, asked: Asked, iterations: int) -> tuple[Tensor, Tensor]:
    """The results of the toolbox, with its default numbers of evaluations."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    shape = tuple(asked.images.shape[1:])

    def decide(images: np.ndarray) -> np.ndarray:
        p = predict(given.classifier, torch.from_numpy(images).float(), RUN.torch_device())
        return np.eye(2)[is_positive(p, BOUNDARY).long().numpy()]

    estimator = BlackBoxClassifier(decide, shape, 2, clip_values=(-1.0, 1.0))
    attack = HopSkipJump(estimator, max_iter=iterations, verbose=False)
    with RUN.global_seed("hop skip jump"):
        changed = attack.generate(asked.images.numpy())
    return torch.arange(len(asked.images)), torch.from_numpy(changed).float()


def measure(
    name: str,
    search: Callable[[], tuple[Tensor, Tensor]],
    given: Surroundings,
    asked: Asked,
) -> dict[str, Any]:
    """A row of the table."""
    counted, device = given.classifier, RUN.torch_device()
    assert isinstance(counted, Counted)
    counted.images, start = 0, time.perf_counter()
    rows, changed = search()
    seconds, evaluations = time.perf_counter() - start, counted.images
    originals, count = asked.images[rows], len(asked.images)
    before = is_positive(asked.p[rows], BOUNDARY)
    valid = is_positive(predict(given.classifier, changed, device), BOUNDARY) != before
    apart = embed(given.judge, changed, device) - embed(given.judge, originals, device)
    real = Reference(*(given.reference[f"lenet.{field}"] for field in Reference._fields))
    pixels = (changed - originals).flatten(1)
    return {
        "search": name,
        "images": count,
        "found": len(rows),
        "valid": float(valid.sum()) / count,
        "evaluations": evaluations / count,
        "seconds": seconds / count,
        "pixel_l1": float(pixels.abs().mean(1).median()),
        "pixel_l2": float(pixels.square().mean(1).sqrt().median()),
        "features": float(apart.norm(dim=1).median()),
        "realistic": float(is_within(embed(given.judge, changed, device), real).double().mean()),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=8, help="of the GAN")
    parser.add_argument("--iterations", type=int, default=50, help="of HopSkipJump")
    parser.add_argument("--digits", action="store_true", help="the embedded digits")
    options = parser.parse_args()
    given = world(options.epochs, options.digits)
    order = torch.randperm(len(given.test["images"]), generator=RUN.generator("asked"))
    asked = asked_of(given.test, given.view["test_p"], order[: options.images])
    # The images that can be encoded, so that all searches have the same ones.
    rows, _ = ours(given, asked)
    print(f"{len(rows)} of {len(asked.images)} random real test images can be encoded")
    if len(rows) == 0:
        return
    asked = asked_of(given.test, given.view["test_p"], order[: options.images][rows])
    table = [
        measure("latents", lambda: ours(given, asked), given, asked),
        measure("pixel bisection", lambda: bisection(given, asked), given, asked),
        measure(
            "HopSkipJump",
            lambda: hop_skip_jump(given, asked, options.iterations),
            given,
            asked,
        ),
    ]
    real = Reference(*(given.reference[f"lenet.{field}"] for field in Reference._fields))
    features = embed(given.judge, asked.images, RUN.torch_device())
    print(pd.DataFrame(table).round(4).to_string(index=False))
    print(f"realistic of the images themselves: {is_within(features, real).double().mean():.4f}")
    print(machine())


def asked_of(test: LabelledImages, p: Tensor, rows: Tensor) -> Asked:
    """These test images."""
    chosen = take_rows(test, rows)
    names = [str(row) for row in rows.tolist()]
    return Asked(chosen["images"], names, chosen["labels"], [OWN] * len(rows), p[rows])


if __name__ == "__main__":
    main()
