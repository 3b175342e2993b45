"""The smallest change of a decision: our search in latents against two peers, on the same images.

The latents are those of a GAN of the preset ``fast`` and of a flow of the preset ``small``. The
first table says how well each encodes random real test images; the second compares the searches on
the images that both can encode. HopSkipJump (Chen et al. 2020) of the Adversarial Robustness
Toolbox sees decisions only, and searches in pixels: `pip install adversarial-robustness-toolbox`.
Pixel bisection goes straight towards the nearest real image of the other decision. All searches end
a little beyond the boundary.

Evaluations are the images that the model has judged for one image that is explained. `encoding` of
ours needs none. Distances are root mean squares of the pixels, which are in [-1, 1], and in the
judge's features. `precision` is the share of changed images inside the manifold of the real
training images in these, and `realistic` the share with a realism score as of real test images.

    python benchmarks/counterfactuals.py --images 200
    python benchmarks/counterfactuals.py --digits --images 8 --epochs 1 --flow-epochs 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from common import (
    BOUNDARY,
    CONF,
    RUN,
    fashion_or_digits,
    flow_of,
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
from borderline.measures.realism import Reference, is_realistic
from borderline.params import PairParams
from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair, split_source
from borderline.pipelines.gasten.flow_training import train_epoch
from borderline.pipelines.metrics.measuring import describe
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


def world(digits: bool) -> Surroundings:
    """Model and judge, trained on the real images, and these; the sampler is still missing."""
    source, pair = fashion_or_digits()
    if digits:
        source = ImageSource(kind="mnist_sample")
        pair = PairParams(positive=7, negative=1, test_share=0.2)
    images = source.load()
    labels = labels_of_pair(images, pair)
    everything, rest = split_source(images, pair.test_share, RUN.seed_for("test images"))
    train, test = images_of_pair(everything, *labels), images_of_pair(rest, *labels)
    model, judge = trained_model(train), trained_judge(everything)
    device = RUN.torch_device()
    features = (embed(judge, images["images"], device) for images in (train, test))
    return Surroundings(
        Counted(model),
        GanSampler(generator=nn.Identity()),
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
        describe("lenet", *features, NEIGHBOURS),
        BOUNDARY,
        ClassNames("0", "1"),
    )


def spaces(train: LabelledImages, epochs: int, flow_epochs: int) -> dict[str, nn.Module]:
    """The decoders of the latents."""
    gan = trained_gan(gan_params("fast", steps_per_epoch=120), train["images"], epochs)
    flow = flow_of(train)
    there = train["images"].to(flow.device), train["labels"].to(flow.device)
    for _ in range(flow_epochs):
        train_epoch(flow, *there)
    return {"GAN": gan, "flow": flow.generator.eval()}


class Search(NamedTuple):
    """The changed images of some of the images asked, and their cost for each of them."""

    rows: Tensor
    changed: Tensor
    evaluations: float
    seconds: float


def cost_of(given: Surroundings, search: Callable[[], tuple[Tensor, Tensor]]) -> Search:
    """Run a search, and count."""
    counted = given.classifier
    assert isinstance(counted, Counted)
    counted.images, start = 0, time.perf_counter()
    rows, changed = search()
    seconds, found = time.perf_counter() - start, max(len(rows), 1)
    return Search(rows, changed, counted.images / found, seconds / found)


def ours(given: Surroundings, asked: Asked) -> tuple[Tensor, Tensor, pd.DataFrame]:
    """Rows of the images that have a change, their changed images, and the table of all."""
    values = base_settings(CONF)["counterfactuals"] | {"flipped": BEYOND}
    params = CounterfactualsParams.model_validate(values)
    found, table = explain_images(asked, given, params, RUN)
    return found["rows"], found["flipped"], table


def encoding(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A row of the table of reconstructions of all images asked."""
    return {
        "latents": name,
        "images": len(table),
        "encoded": float(table["encoded"].astype(bool).mean()),
        "flips": float(table["reconstruction_flips"].astype(bool).mean()),
        "error_pixels": float(table["reconstruction_l2"].astype(float).median()),
        "error_features": float(table["reconstruction_features"].astype(float).median()),
        "changed": float((table["valid"] == True).mean()),  # noqa: E712 - missing values
    }


def bisection(given: Surroundings, asked: Asked) -> tuple[Tensor, Tensor]:
    """Blends with the nearest real image of the other decision."""

    class NoLatents(GanSampler):
        decoder = None  # type: ignore[assignment]

    return ours(given._replace(sampler=NoLatents(generator=nn.Identity())), asked)[:2]


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


def measure(name: str, search: Search, given: Surroundings, asked: Asked) -> dict[str, Any]:
    """A row of the table of searches, about all images asked."""
    device, (rows, changed, evaluations, seconds) = RUN.torch_device(), search
    originals = asked.images[rows]
    before = is_positive(asked.p[rows], BOUNDARY)
    valid = is_positive(predict(given.classifier, changed, device), BOUNDARY) != before
    apart = embed(given.judge, changed, device) - embed(given.judge, originals, device)
    pixels = (changed - originals).flatten(1)
    return {
        "search": name,
        "found": len(rows),
        "valid": float(valid.sum()) / len(asked.images),
        "evaluations": evaluations,
        "seconds": seconds,
        "pixel_l1": float(pixels.abs().mean(1).median()),
        "pixel_l2": float(pixels.square().mean(1).sqrt().median()),
        "features": float(apart.norm(dim=1).median()),
        **realism(changed, given),
    }


def realism(images: Tensor, given: Surroundings) -> dict[str, float]:
    """The precision of images, and the share of them that are as realistic as real ones."""
    real = Reference.of_record(given.reference, "lenet")
    features = embed(given.judge, images, RUN.torch_device())
    test = given.reference["lenet.test_features"]
    within = (torch.cdist(real.features, features.double()) <= real.radii[:, None]).any(0)
    shares = {"precision": within, "realistic": is_realistic(features, real, test)}
    return {name: float(share.double().mean()) for name, share in shares.items()}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=8, help="of the GAN")
    parser.add_argument("--flow-epochs", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=50, help="of HopSkipJump")
    parser.add_argument("--digits", action="store_true", help="the embedded digits")
    options = parser.parse_args()
    given = world(options.digits)
    order = torch.randperm(len(given.test["images"]), generator=RUN.generator("asked"))
    chosen = order[: options.images]
    asked = asked_of(given.test, given.view["test_p"], chosen)
    searches, encodings = {}, []
    for name, decoder in spaces(given.train, options.epochs, options.flow_epochs).items():
        within, tables = given._replace(sampler=GanSampler(generator=decoder)), []

        def search(within: Surroundings = within, tables: list[Any] = tables) -> Any:
            rows, changed, table = ours(within, asked)
            tables.append(table)
            return rows, changed

        searches[f"latents of the {name}"] = cost_of(given, search)
        encodings.append(encoding(name, tables[0]))
    print(pd.DataFrame(encodings).round(4).to_string(index=False), flush=True)
    # All searches are compared on the same images.
    rows = [row for row in range(len(chosen)) if all(row in s.rows for s in searches.values())]
    if not rows:
        print("No image can be encoded by both.")
        return
    both = asked_of(given.test, given.view["test_p"], chosen[rows])
    print(f"{len(rows)} images can be encoded by both")
    compared = {name: of_rows(found, rows) for name, found in searches.items()}
    compared["pixel bisection"] = cost_of(given, lambda: bisection(given, both))
    compared["HopSkipJump"] = cost_of(given, lambda: hop_skip_jump(given, both, options.iterations))
    table = [measure(name, found, given, both) for name, found in compared.items()]
    print(pd.DataFrame(table).round(4).to_string(index=False))
    print(f"the images themselves: {realism(both.images, given)}")
    print(machine())


def of_rows(search: Search, rows: list[int]) -> Search:
    """The results for these images asked, which become the images 0, 1, ..."""
    places = [search.rows.tolist().index(row) for row in rows]
    return search._replace(rows=torch.arange(len(rows)), changed=search.changed[places])


def asked_of(test: LabelledImages, p: Tensor, rows: Tensor) -> Asked:
    """These test images."""
    chosen = take_rows(test, rows)
    names = [str(row) for row in rows.tolist()]
    return Asked(chosen["images"], names, chosen["labels"], [OWN] * len(rows), p[rows])


if __name__ == "__main__":
    main()
