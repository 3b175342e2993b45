"""15,000 borderline images by latent search against one epoch of GASTeN's step 2.

Both start from the same step 1, with the paper's networks; the epoch is one pass over 12,000
images. The search has nothing to train, so its seconds are all that a model under test costs.
"""

from __future__ import annotations

import torch
from common import (
    BOUNDARY,
    RUN,
    fashion_or_digits,
    gan_params,
    in_turns,
    machine,
    real_images,
    search_settings,
    trained_model,
)
from torch import Tensor

from borderline.measures.confusion import average_confusion_distance, borderline_yield
from borderline.pipelines.gasten.epoch import Steering, train_epoch
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.networks import build_networks
from borderline.pipelines.gasten.terms import TERMS

IMAGES = 15_000
EPOCH = 12_000
STEPS_OF_STEP_1 = 200
ROUNDS = 3


def main() -> None:
    """Print the ratio."""
    _, pair_images = real_images(*fashion_or_digits())
    classifier = trained_model(pair_images)
    params = gan_params("paper", steps_per_epoch=EPOCH // 64)
    images = pair_images["images"].to(RUN.torch_device())
    gan = Gan(params, images.shape[1:], RUN)
    step_1 = params.model_copy(update={"steps_per_epoch": STEPS_OF_STEP_1})
    gan.params = step_1
    train_epoch(gan, images, 1, None)
    gan.params = params
    generator = build_networks(params, images.shape[1:], RUN)[0]
    generator.load_state_dict(gan.generator.state_dict())
    found: list[Tensor] = []

    def ours() -> None:
        found.clear()
        sampler = SearchSampler(generator=generator, **search_settings())
        parts = sampler.sample(classifier, pair_images, IMAGES, RUN, 0.5)
        found.extend(part["probabilities"] for part in parts)

    def theirs() -> None:
        train_epoch(gan, images, 1, Steering(classifier, TERMS["gasten"], 25.0))

    a, b, ratio = in_turns(ours, theirs, ROUNDS)
    p = torch.cat(found)
    print(machine())
    print(
        f"search: {a:.1f} s for {len(p)} images, yield {borderline_yield(p, BOUNDARY):.2%}, "
        f"ACD {average_confusion_distance(p, BOUNDARY):.4f}; an epoch of step 2: {b:.1f} s"
    )
    print(f"ratio boundary_search: {ratio:.2f}")


if __name__ == "__main__":
    main()
