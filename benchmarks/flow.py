"""The cost and the quality of a flow, by training, steps of the decoder and truncation of a search.

A GAN of the preset ``fast`` and a flow of the preset ``small`` learn all training images of two
classes of Fashion-MNIST. ``fd`` is the Fréchet distance of 2,000 images to all training images.
Precision and coverage are those of as many borderline images as there are real ones, beside half of
the training images (k = 5, in the features of a judge). The real borderline images are of the other
half. ``decoded`` is the number of images that a search decodes for each that it finds.

    python benchmarks/flow.py --pair 4v6
    python benchmarks/flow.py --pair 4v6 --channels 32 64
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import pandas as pd
import torch
from common import (
    BOUNDARY,
    RUN,
    fashion_or_digits,
    flow_of,
    gan_params,
    machine,
    real_images,
    search_settings,
    trained_gan,
    trained_judge,
    trained_model,
)
from torch import Tensor, nn

from borderline.measures.confusion import is_borderline
from borderline.measures.inference import embed, in_batches, passes_per_image, predict
from borderline.measures.realism import Moments, Reference, frechet_distance, judge_realism
from borderline.pipelines.gasten import flow_training
from borderline.pipelines.gasten.flow import Decoder
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.sampling import counted_evaluations

SAMPLE = 2000
NEIGHBOURS = 5
GAN_EPOCHS = 10
EPOCHS = (4, 8, 16)
STEPS = (4, 16)
TRUNCATIONS = (2.0, 1.5, 1.25)


class Bench:
    """Real images, the model under test and a judge, and the figures of generators beside them."""

    def __init__(self, pair: str) -> None:
        source, classes = fashion_or_digits()
        positive, negative = (int(number) for number in pair.split("v"))
        classes = classes.model_copy(update={"positive": positive, "negative": negative})
        everything, self.train = real_images(source, classes)
        self.device = RUN.torch_device()
        self.classifier, self.judge = trained_model(self.train), trained_judge(everything)
        images = self.train["images"]
        features = embed(self.judge, images, self.device)
        self.moments = Moments.of(features)
        mixed = torch.randperm(len(images), generator=RUN.generator("halves"))
        half, other = mixed.chunk(2)
        self.real = Reference.of(features[half], NEIGHBOURS)
        p = predict(self.classifier, images[other], self.device)
        self.borderline = images[other][is_borderline(p, BOUNDARY)]
        self.rows: list[dict[str, Any]] = []

    def note(self, name: str, images: Tensor, **figures: float) -> None:
        """Add a row, and print the table so far."""
        features = embed(self.judge, images[: len(self.borderline)], self.device)
        once = torch.ones(1, len(features))
        found = judge_realism(features, self.real, NEIGHBOURS, once)
        row = {"name": name, "n": len(features), "precision": found["precision"].value}
        self.rows.append(row | {"coverage": found["coverage"].value} | figures)
        print(pd.DataFrame(self.rows).round(3).to_string(index=False), flush=True)

    def distance(self, generator: nn.Module) -> float:
        """The Fréchet distance of images of random latents."""
        random = torch.Generator().manual_seed(1)
        latents = torch.randn(SAMPLE, int(generator.latent_dim), generator=random)  # type: ignore[arg-type]
        made = in_batches(generator, latents, device=self.device)
        return frechet_distance(Moments.of(embed(self.judge, made, self.device)), self.moments)

    def search(self, name: str, generator: nn.Module, trained: float, **changed: Any) -> None:
        """A row of a search in a space."""
        generator = generator.eval()
        settings = search_settings() | changed
        sampler = SearchSampler(generator=generator, **settings)
        start = time.perf_counter()
        with counted_evaluations(generator) as evaluations:
            parts = sampler.sample(
                self.classifier, self.train, len(self.borderline), RUN, BOUNDARY["threshold"]
            )
            found = torch.cat([part["images"] for part in parts])
        if len(found) == 0:
            print(f"{name}: no borderline image was found", flush=True)
            return
        seconds = (time.perf_counter() - start) / len(found)
        passes = passes_per_image(generator)
        self.note(
            name,
            found,
            fd=self.distance(generator) if not changed else float("nan"),
            training_s=trained,
            seconds_an_image=seconds,
            decoded=evaluations.count / passes / len(found),
        )


def with_steps(decoder: Decoder, steps: int) -> Decoder:
    """The same network with another number of steps."""
    return Decoder(decoder.velocity, decoder.image_shape, steps, decoder.solver)


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pair", default="3v0")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS, help="of the flow")
    parser.add_argument("--channels", type=int, nargs="+", help="of each level of the flow")
    options = parser.parse_args()
    bench = Bench(options.pair)
    print(machine())
    bench.note("real borderline images", bench.borderline)
    images = bench.train
    start = time.perf_counter()
    gan = trained_gan(gan_params("fast"), images["images"], GAN_EPOCHS)
    bench.search("fast GAN", gan, time.perf_counter() - start)
    changed = {"channels": options.channels} if options.channels else {}
    flow, trained = flow_of(images, **changed), 0.0
    there = images["images"].to(flow.device), images["labels"].to(flow.device)
    for number in range(1, max(options.epochs) + 1):
        start = time.perf_counter()
        flow_training.train_epoch(flow, *there)
        trained += time.perf_counter() - start
        if number in options.epochs:
            bench.search(f"flow, {number} epochs", flow.generator, trained)
    for limit in TRUNCATIONS:
        bench.search(f"truncated at {limit}", flow.generator, trained, truncation=limit)
    for steps in STEPS:
        bench.search(f"{steps} steps", with_steps(flow.generator, steps), trained)


if __name__ == "__main__":
    main()
