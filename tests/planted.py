"""Images whose verdict is known, and the precision and recall of each verdict on them.

``python tests/planted.py`` prints the table of docs/verdicts.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from skimage.measure import moments_central
from torch import Tensor, nn
from torchvision.transforms.functional import InterpolationMode, affine

from borderline.boundary import ConfusionParams
from borderline.committee import Committee
from borderline.config_loader import base_settings
from borderline.datasets import ImageSource
from borderline.datasets.image_source import SourceImages, split_source
from borderline.findings import VERDICTS
from borderline.measures.inference import predict
from borderline.params import PairParams, RunParams, merged
from borderline.pipelines.classifier import nodes as classifier_nodes
from borderline.pipelines.classifier.params import JudgeParams
from borderline.pipelines.metrics import nodes as metrics_nodes
from borderline.records import HeldOut, LabelledImages, Part, take_rows
from borderline.training.params import ModelParams, TrainingParams
from borderline.verdicts.params import VerdictsParams

CONFUSION = ConfusionParams(threshold=0.5, band=0.1, scale="probability")
CPU = torch.device("cpu")
RUN = RunParams(seed=0, device="cpu")
SETTINGS = base_settings(Path(__file__).parents[1] / "conf")
THRESHOLDS = VerdictsParams.model_validate(SETTINGS["verdicts"])
ALLOWED = {
    "slanted": {"weakness"},
    "blends": {"ambiguous", "unrealistic", "undecided"},
    "noise": {"unrealistic"},
    "copies": {"memorised"},
    "third class": {"another_class"},
}
"""The kinds of planted images, and the verdicts that are right for them."""


class World(NamedTuple):
    """Real images of a pair, and the judges that have learned from them."""

    source: SourceImages
    pair: PairParams
    train: LabelledImages
    test: LabelledImages
    committee: Committee
    held_out: HeldOut

    def verdicts(self, images: Tensor) -> pd.DataFrame:
        """The verdicts on images."""
        part: Part = {"images": images, "probabilities": torch.full((len(images),), 0.5)}
        _, table = metrics_nodes.judge_borderline(
            part,
            self.committee,
            self.committee.members[0],
            self.source,
            self.held_out,
            verdicts=THRESHOLDS,
            pair=self.pair,
            run=RUN,
        )
        return table


def world_of(
    source: SourceImages, positive: int | str, negative: int | str, **changed: object
) -> World:
    """Train a committee, by the nodes of the project, with other settings of the judge or not."""
    pair = PairParams(positive=positive, negative=negative, test_share=0.2)
    judge = JudgeParams.model_validate(
        merged(SETTINGS["judge_kinds"]["lenet"], {"kind": "lenet", **changed})
    )
    train, test, *_ = classifier_nodes.select_pair(source, pair=pair, run=RUN)
    members = {}
    for member in range(1, judge.members + 1):
        checkpoints = {}
        for epoch, _ in classifier_nodes.train_judge(
            source, {}, judge=judge, member=member, pair=pair, run=RUN
        ):
            checkpoints |= {name: lambda saved=saved: saved for name, saved in epoch.items()}
        members[f"judge_{member}"], _ = classifier_nodes.keep_best_judge(
            checkpoints, source, judge=judge, pair=pair, run=RUN
        )
    committee, _ = classifier_nodes.gather_committee(source, test, pair=pair, run=RUN, **members)
    judge_1 = committee.members[0]
    features = classifier_nodes.embed_real_images(judge_1, train, test, run=RUN)
    held_out = metrics_nodes.measure_held_out(
        source, judge_1, test, features, verdicts=THRESHOLDS, pair=pair, run=RUN
    )
    return World(source, pair, train, test, committee, held_out)


def slant(image: Tensor) -> float:
    """The slant of the ink of an image (1, H, W): columns to the right for a row upwards."""
    moments = moments_central(((image[0] + 1) / 2).double().numpy(), order=2)
    return -float(moments[1, 1] / moments[2, 0])


def model_without_slanted(world: World, epochs: int = 5) -> nn.Module:
    """A model under test that was trained without the more slanted half of the positive images."""
    positive = world.train["labels"] == 1
    slants = torch.tensor([slant(image) for image in world.train["images"]])
    data = take_rows(world.train, ~(positive & (slants > slants[positive].median())))
    training = TrainingParams.model_validate(SETTINGS["classifier"] | {"epochs": epochs})
    model = ModelParams(kind="cnn", filters=2, allow_chance=False)
    checkpoints = {}
    for epoch, _ in classifier_nodes.train_classifier(
        data, {}, model=model, classifier=training, pair=world.pair, run=RUN
    ):
        checkpoints |= {name: lambda saved=saved: saved for name, saved in epoch.items()}
    return classifier_nodes.keep_best_classifier(
        checkpoints, world.test, model=model, classifier=training, confusion=CONFUSION
    )


def slanted_to_boundary(model: nn.Module, images: Tensor) -> Tensor:
    """Real images, slanted until the model is at p = 0.5; without those that never get there."""
    low, high = (torch.full((len(images),), angle) for angle in (-15.0, 40.0))

    def p(degrees: Tensor) -> Tensor:
        return predict(model, slanted(images, degrees), CPU)

    changes = (p(low) > 0.5) & (p(high) < 0.5)
    images, low, high = images[changes], low[changes], high[changes]
    for _ in range(8):
        middle = (low + high) / 2
        above = p(middle) > 0.5
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return slanted(images, (low + high) / 2)


def slanted(images: Tensor, degrees: Tensor) -> Tensor:
    """Images (N, 1, H, W), their tops moved to the right by these angles (N,)."""
    return torch.stack(
        [
            affine(
                image,
                angle=0,
                translate=[0, 0],
                scale=1,
                shear=[float(angle), 0],
                interpolation=InterpolationMode.BILINEAR,
                fill=[-1.0],
            )
            for image, angle in zip(images, degrees, strict=True)
        ]
    )


def planted(world: World, model: nn.Module, count: int = 200, seed: int = 0) -> dict[str, Tensor]:
    """Images of each kind of ``ALLOWED``, at most ``count`` of each, for a weak model."""
    random = torch.Generator().manual_seed(seed)

    def some(images: Tensor) -> Tensor:
        return images[torch.randint(len(images), (count,), generator=random)]

    positive, negative = (world.test["images"][world.test["labels"] == i] for i in (1, 0))
    sure = [confident(world, images) for images in (positive, negative)]
    weights = 0.4 + 0.2 * torch.rand(count, 1, 1, 1, generator=random)
    _, everything = split_source(world.source, world.pair.test_share, RUN.seed_for("test images"))
    of_pair = torch.tensor(
        [world.source.label_of(name, "") for name in (world.pair.positive, world.pair.negative)]
    )
    third = everything["images"][~torch.isin(everything["labels"], of_pair)]
    noise = torch.rand(count, *positive.shape[1:], generator=random) * 2 - 1
    return {
        "slanted": slanted_to_boundary(model, positive)[:count],
        "blends": weights * some(sure[0]) + (1 - weights) * some(sure[1]),
        "noise": noise,
        "copies": some(world.train["images"]),
        "third class": some(third),
    }


def confident(world: World, images: Tensor) -> Tensor:
    """The images that the committee is sure of."""
    return images[(world.verdicts(images)["verdict"] == "weakness").to_numpy().nonzero()[0]]


def measure(world: World, images: dict[str, Tensor]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The share of each verdict by kind, and the precision and recall of each verdict.

    Every kind counts alike.
    """
    verdicts = {kind: world.verdicts(x)["verdict"].to_numpy() for kind, x in images.items()}
    shares = pd.DataFrame(
        {kind: [(v == name).mean() for name in VERDICTS] for kind, v in verdicts.items()},
        index=list(VERDICTS),
    ).T
    rows = {}
    for verdict in ("memorised", "unrealistic", "another_class", "weakness", "ambiguous"):
        # No kind is ambiguous throughout; blends come nearest.
        of = next((kind for kind, v in ALLOWED.items() if v == {verdict}), "blends")
        right = [kind for kind, allowed in ALLOWED.items() if verdict in allowed]
        total = shares[verdict].sum()
        precision = shares.loc[right, verdict].sum() / total if total else float("nan")
        rows[verdict] = {"precision": precision, "recall": shares.loc[of, verdict]}
    return shares, pd.DataFrame(rows).T


if __name__ == "__main__":
    small = ImageSource(kind="mnist_sample").load()
    world = world_of(small, 7, 1, **{k: int(v) for k, v in (a.split("=") for a in sys.argv[1:])})
    images = planted(world, model_without_slanted(world))
    print({kind: len(x) for kind, x in images.items()})
    for table in measure(world, images):
        print(table.round(3).to_string())
