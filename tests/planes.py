"""A run whose generator, model and judge are planes, so that all answers are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.counterfactuals.explain import Surroundings
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.measures.class_names import ClassNames
from borderline.params import RunParams
from borderline.pipelines.metrics.measuring import describe
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler
from conftest import BOUNDARY, base_settings

SIDE = 6


class Decoder(nn.Module):
    """The first latent is the brightness of the left half, the others that of two stripes."""

    latent_dim = 3

    def forward(self, latents: Tensor) -> Tensor:
        images = torch.zeros(len(latents), 1, SIDE, SIDE)
        images[:, :, :4, :3] = 0.3 * latents[:, 0, None, None, None]
        images[:, :, :4, 3:] = 0.3 * latents[:, 1, None, None, None]
        images[:, :, 4:] = 0.3 * latents[:, 2, None, None, None]
        return images


class Model(nn.Module):
    """Its logit is the brightness of the left half, ten times."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.sign * 10 * images[:, 0, :4, :3].mean((1, 2))


class Blind(Model):
    differentiable = False


class OfMore(Model):
    """A third class has what is bright."""

    most_other_mass = 0.5

    def other_mass(self, images: Tensor) -> Tensor:
        return (self(images) > 0).float()


class Member(Model):
    """The opinion of a judge on the two classes."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return torch.stack([-logits, logits], dim=1) / 2


@dataclass(frozen=True, kw_only=True)
class PlaneSampler(Sampler):
    with_latents: bool = True

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams, t: float
    ) -> Parts:
        raise NotImplementedError

    @property
    def decoder(self) -> nn.Module | None:
        return Decoder() if self.with_latents else None


def settings_of(**changed: object) -> CounterfactualsParams:
    values = base_settings()["counterfactuals"] | {"held_out": 20, "steps": 60}
    return CounterfactualsParams.model_validate(values | changed)


def real_images(count: int, seed: int) -> tuple[Tensor, LabelledImages]:
    """Latents and images; the class is the side of the first latent."""
    latents = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    labels = (latents[:, 0] > 0).long()
    return latents, {"images": Decoder()(latents), "labels": labels}


def surroundings(**changed: Any) -> Surroundings:
    model, judge = Model(), Model()
    (_, train), (_, test) = real_images(60, 1), real_images(40, 2)
    # Two errors: wrong labels.
    test["labels"][:2] = 1 - test["labels"][:2]
    features = (judge.embed(images["images"]) for images in (train, test))
    values = {
        "classifier": model,
        "sampler": PlaneSampler(),
        "judge": judge,
        "committee": Committee(members=(Member(),), classes=("0", "1"), positive=1, negative=0),
        "train": train,
        "test": test,
        "view": {
            "train_p": torch.sigmoid(model(train["images"])).detach(),
            "test_p": torch.sigmoid(model(test["images"])).detach(),
            "train_embeddings": train["images"].flatten(1),
            "test_embeddings": test["images"].flatten(1),
        },
        "reference": describe("lenet", *features, 3),
        "boundary": BOUNDARY,
        "names": ClassNames("0", "1"),
    }
    return Surroundings(**(values | changed))
