"""The scores of an epoch: a generator measured on the fixed test noise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.datasets.tensors import digest, digest_of_weights
from borderline.measures.confusion import average_confusion_distance, borderline_yield
from borderline.measures.inference import embed, in_batches, most_other_mass, other_mass, predict
from borderline.measures.realism import Moments, frechet_distance
from borderline.params import Setting
from borderline.pipelines.gasten.params import EarlyStoppingParams


def measurement(
    test_noise: Tensor,
    judge: nn.Module,
    real_features: Tensor,
    device: torch.device,
    classifier: nn.Module | None = None,
    boundary: Boundary | None = None,
) -> Callable[[nn.Module], dict[str, float]]:
    """A function that measures a generator on the fixed test noise.

    It gives ``images`` N, ``fd_lenet`` and, with the model under test and its boundary in step 2,
    ``band``, ``yield`` and ``acd``. The last two cover the images within the pair, and are NaN
    where there are none. ``fd_lenet`` and ``other_mass``, for a model of more than two classes,
    cover all images. Latents have the shape (N, Z), the judge's features of the real training
    images (M, D).
    """
    real = Moments.of(real_features)

    def measure(generator: nn.Module) -> dict[str, float]:
        images = in_batches(generator, test_noise, device=device)
        generated = Moments.of(embed(judge, images, device))
        scores = {"images": len(images), "fd_lenet": frechet_distance(generated, real)}
        if classifier is not None and boundary is not None:
            p = predict(classifier, images, device)
            most = most_other_mass(classifier)
            if most is not None:
                other = other_mass(classifier, images, device)
                p = p[other <= most]
                scores["other_mass"] = other.mean().item()
            scores |= {
                "band": boundary["band"],
                "yield": borderline_yield(p, boundary),
                "acd": average_confusion_distance(p, boundary),
            }
        return scores

    return measure


def score_digests(
    early_stopping: EarlyStoppingParams | None, judge: nn.Module, test_noise: Tensor
) -> dict[str, Setting]:
    """Digests of the inputs of the scores, for the fingerprint of a training that they stop."""
    if early_stopping is None:
        return {}
    # Not every imported judge shows its weights.
    of_judge = getattr(judge, "digest", None) or digest_of_weights(judge)
    return {"judge digest": of_judge, "test noise digest": digest(test_noise)}
