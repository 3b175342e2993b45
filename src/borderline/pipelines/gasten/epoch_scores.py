"""The scores of an epoch: a generator measured on the fixed test noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.datasets.tensors import digest, digest_of_weights
from borderline.measures.confusion import average_confusion_distance, borderline_yield
from borderline.measures.inference import embed, in_batches, most_other_mass, other_mass, predict
from borderline.measures.judges import JUDGE_OF, Distance, Reference, check_more_than_features
from borderline.measures.realism import RealStatistics
from borderline.params import Setting
from borderline.pipelines.gasten.gan_params import EarlyStoppingParams
from borderline.pipelines.gasten.params import measured_settings
from borderline.records import RealFeatures, References


class EpochJudge(NamedTuple):
    """A judge beside the LeNet, and the real images as it sees them."""

    network: nn.Module
    real: RealStatistics


EpochJudges = Mapping[Distance, EpochJudge]
_NO_OTHERS: EpochJudges = MappingProxyType({})


def measurement(
    test_noise: Tensor,
    judge: nn.Module,
    real_features: Tensor,
    device: torch.device,
    classifier: nn.Module | None = None,
    boundary: Boundary | None = None,
    others: EpochJudges = _NO_OTHERS,
) -> Callable[[nn.Module], dict[str, float]]:
    """A function that measures a generator on the fixed test noise.

    It gives ``images`` N, ``fd_lenet``, the distances of the other judges and, with the model under
    test and its boundary in step 2, ``band``, ``yield`` and ``acd``. The last two cover the images
    within the pair, and are NaN where there are none. The distances and ``other_mass``, for a model
    of more than two classes, cover all images. Latents have the shape (N, Z), the judge's features
    of the real training images (M, D).
    """
    real = RealStatistics.of(real_features)

    def measure(generator: nn.Module) -> dict[str, float]:
        images = in_batches(generator, test_noise, device=device)
        distance = real.distance(embed(judge, images, device))
        scores = {"images": len(images), "fd_lenet": distance}
        for name, other in others.items():
            scores[name] = other.real.distance(embed(other.network, images, device))
        if classifier is not None and boundary is not None:
            p = predict(classifier, images, device)
            most = most_other_mass(classifier)
            if most is not None:
                mass = other_mass(classifier, images, device)
                p = p[mass <= most]
                scores["other_mass"] = mass.mean().item()
            scores |= {
                "band": boundary["band"],
                "yield": borderline_yield(p, boundary),
                "acd": average_confusion_distance(p, boundary),
            }
        return scores

    return measure


def other_judges(
    networks: Mapping[str, nn.Module | None], statistics: References | None, noise: Tensor
) -> dict[Distance, EpochJudge]:
    """The judges beside the LeNet with statistics, by their distance.

    Args:
        networks: The networks by judge; None for those that measure no epochs.
        statistics: The real images, as ``RealStatistics.record`` names them.
        noise: The test noise, shape (N, Z).

    Raises:
        BorderlineError: When a judge has as many features as there are images, or more.
    """
    judges: dict[Distance, EpochJudge] = {}
    for distance, judge in JUDGE_OF.items():
        network = networks.get(judge)
        if network is not None and statistics and f"{judge}.mean" in statistics:
            real = RealStatistics.of_record(statistics, judge)
            check_more_than_features(judge, len(real.mean), len(noise), int(real.n))
            judges[distance] = EpochJudge(network, real)
    return judges


def features_to_compare(real_features: RealFeatures, statistics: References | None) -> Tensor:
    """The LeNet's features of the pair's training images, or of all where those are compared."""
    return (statistics or {}).get("lenet.features", real_features["features"])


def score_digests(
    early_stopping: EarlyStoppingParams | None, judge: nn.Module, test_noise: Tensor
) -> dict[str, Setting]:
    """Digests of the inputs of the scores, for the fingerprint of a training that they stop."""
    if early_stopping is None:
        return {}
    # Not every imported judge shows its weights.
    of_judge = getattr(judge, "digest", None) or digest_of_weights(judge)
    return {"judge digest": of_judge, "test noise digest": digest(test_noise)}


def history_settings(
    reference: Reference, noise_path: str | None, test_noise: Tensor
) -> dict[str, Setting]:
    """The fingerprint of the scores in a history; see :func:`measured_settings`."""
    return measured_settings(reference, digest(test_noise) if noise_path else None)
