"""What the presets of step 1 cost and give: seconds, Fréchet distance, precision on the boundary.

Ten epochs each on all training images of Fashion-MNIST's dresses and t-shirts. Precision is the
share of 3,000 images of a latent search that lie within the manifold of 3,000 real images of the
pair, k = 5, in the judge's features (Kynkäänniemi et al. 2019).
"""

from __future__ import annotations

import time

import torch
from common import (
    BOUNDARY,
    RUN,
    fashion_or_digits,
    gan_params,
    machine,
    real_images,
    search_settings,
    trained_gan,
    trained_judge,
    trained_model,
)
from torch import Tensor, nn
from torch_fidelity.metric_prc import prc_features_to_metric

from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed, in_batches, predict
from borderline.measures.realism import Moments, frechet_distance
from borderline.pipelines.gasten.latent_search import SearchSampler

IMAGES = 12_000
SAMPLE = 3_000
EPOCHS = 10


def precision(images: Tensor, real: Tensor, judge: nn.Module) -> float:
    """Share of images within the real manifold."""
    features = (embed(judge, part, RUN.torch_device()) for part in (images, real))
    figures = prc_features_to_metric(
        *features, prc_neighborhood=5, prc_batch_size=5000, save_cpu_ram=True, verbose=False
    )
    return float(figures["precision"])


def main() -> None:
    """Print a row for each preset, and the ratio of their seconds."""
    device = RUN.torch_device()
    everything, pair_images = real_images(*fashion_or_digits())
    classifier, judge = trained_model(pair_images), trained_judge(everything)
    images = pair_images["images"]
    reference, held_out = images[torch.randperm(len(images))].split([SAMPLE, len(images) - SAMPLE])
    real = Moments.of(embed(judge, images, device))
    borderline = held_out[is_borderline(predict(classifier, held_out, device), BOUNDARY)]
    print(machine())
    print(f"real borderline images: precision {precision(borderline, reference, judge):.2f}")
    seconds = {}
    for preset in ("paper", "fast"):
        params = gan_params(preset, epochs=EPOCHS)
        start = time.perf_counter()
        generator = trained_gan(params, images, EPOCHS)
        seconds[preset] = time.perf_counter() - start
        latents = torch.randn(IMAGES, 64, generator=torch.Generator().manual_seed(1))
        made = in_batches(generator, latents, device=device)
        fd = frechet_distance(Moments.of(embed(judge, made, device)), real)
        sampler = SearchSampler(generator=generator, **search_settings())
        parts = sampler.sample(classifier, pair_images, SAMPLE, RUN, 0.5)
        found = torch.cat([part["images"] for part in parts])
        print(
            f"{preset}: {seconds[preset]:.0f} s, fd_lenet {fd:.2f} (N={IMAGES}), precision of all "
            f"{precision(made[:SAMPLE], reference, judge):.2f}, of borderline "
            f"{precision(found, reference, judge):.2f} (N={len(found)})"
        )
    print(f"ratio fast_preset: {seconds['paper'] / seconds['fast']:.2f}")


if __name__ == "__main__":
    main()
