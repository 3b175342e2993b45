"""What the benchmarks share: real digits, a small model of them, and turns that are fair."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from borderline.boundary import Boundary
from borderline.config_loader import base_settings
from borderline.datasets.image_source import ImageSource
from borderline.measures.inference import embed
from borderline.params import PairParams, RunParams
from borderline.pipelines.classifier.pairs import images_of_pair, labels_of_pair, split_source
from borderline.pipelines.gasten.epoch import train_epoch
from borderline.pipelines.gasten.flow_training import Flow
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.params import DiffusionParams
from borderline.records import LabelledImages
from borderline.training.epochs import binary_loss, class_loss, train
from borderline.training.networks import build_judge, build_model
from borderline.training.params import TrainingParams

CONF = Path(__file__).parents[1] / "conf"
FASHION = Path("/usr/share/datasets/fashion-mnist")
BOUNDARY: Boundary = {"threshold": 0.5, "band": 0.1, "scale": "probability", "rule": ""}
RUN = RunParams(seed=0, device="auto")


def gan_params(preset: str, **changed: object) -> GanParams:
    """The settings of step 1 under a preset's name."""
    values = {"preset": preset, "epochs": 10, "steps_per_epoch": None}
    return GanParams.model_validate(base_settings(CONF)["gan"] | values | changed)


def search_settings() -> dict[str, Any]:
    """The default settings of a latent search."""
    defaults = base_settings(CONF)["generator_kinds"]["latent_search"]
    return {name: defaults[name] for name in ("pairs", "truncation", "spread", "tolerance")}


def fashion_or_digits() -> tuple[ImageSource, PairParams]:
    """Fashion-MNIST's dresses and t-shirts where Debian's package is, else the embedded digits."""
    if FASHION.is_dir():
        source = ImageSource(kind="idx", name="Fashion-MNIST", path=str(FASHION))
        return source, PairParams(positive=3, negative=0, test_share=0.2)
    print("Debian's package dataset-fashion-mnist is missing: this is on the embedded digits.")
    return ImageSource(kind="mnist_sample"), PairParams(positive=7, negative=1, test_share=0.2)


def real_images(source: ImageSource, pair: PairParams) -> tuple[LabelledImages, LabelledImages]:
    """All training images, and those of the pair with labels 0 and 1."""
    images = source.load()
    everything, _ = split_source(images, pair.test_share, RUN.seed_for("test images"))
    return everything, images_of_pair(everything, *labels_of_pair(images, pair))


def trained_model(pair_images: LabelledImages, filters: int = 4, epochs: int = 3) -> nn.Module:
    """A model under test."""
    with RUN.global_seed("classifier", "weights"):
        network = build_model("cnn", filters, tuple(pair_images["images"].shape[1:]))
    return _trained(network, pair_images, binary_loss, epochs)


def trained_gan(params: GanParams, images: Tensor, epochs: int) -> nn.Module:
    """The generator of a GAN of step 1 after some epochs."""
    gan = Gan(params, images.shape[1:], RUN)
    for epoch in range(1, epochs + 1):
        train_epoch(gan, images.to(gan.device), epoch, None)
    return gan.generator.eval()


def flow_of(images: LabelledImages, **changed: object) -> Flow:
    """A flow before its training."""
    values = base_settings(CONF)["generator_kinds"]["diffusion"] | {"kind": "diffusion"}
    return Flow(DiffusionParams.model_validate(values | changed), images["images"].shape[1:], RUN)


def trained_judge(images: LabelledImages, epochs: int = 2) -> nn.Module:
    """A judge."""
    with RUN.global_seed("judge", "weights"):
        network = build_judge(int(images["labels"].max()) + 1, tuple(images["images"].shape[1:]))
    return _trained(network, images, class_loss, epochs)


def _trained(
    network: nn.Module,
    images: LabelledImages,
    loss: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
) -> nn.Module:
    params = TrainingParams(
        epochs=epochs, batch_size=64, learning_rate=1e-3, validation_share=1 / 6, patience=3
    )
    for checkpoint in train(
        network, images, loss, params=params, run=RUN, purpose="benchmark", settings={}, so_far={}
    ):
        network.load_state_dict(checkpoint["state"]["best_weights"])
    return network.to(RUN.torch_device()).eval().requires_grad_(False)


def in_turns(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Time two functions side by side.

    Returns:
        The median seconds of each, and the median over the rounds of theirs / ours.
    """
    ours()
    theirs()
    seconds = [[_seconds(function) for function in (ours, theirs)] for _ in range(rounds)]
    ratios = [b / a for a, b in seconds]
    return median(a for a, _ in seconds), median(b for _, b in seconds), median(ratios)


def _seconds(function: Callable[[], object]) -> float:
    _wait()
    start = time.perf_counter()
    function()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> str:
    """What the figures were measured on."""
    device = RUN.torch_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{name}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"


def borderline_embeddings(count: int, steps_of_step_1: int = 200) -> np.ndarray:
    """What a model under test sees of images that latent search finds on its boundary.

    Args:
        count: How many images.
        steps_of_step_1: How long the GAN is trained.

    Returns:
        Shape (count, D), float32; D is 392 for 28x28 images.
    """
    _, pair_images = real_images(*fashion_or_digits())
    classifier, device = trained_model(pair_images), RUN.torch_device()
    params = gan_params("fast", steps_per_epoch=steps_of_step_1)
    generator = trained_gan(params, pair_images["images"], 1)
    sampler = SearchSampler(generator=generator, **search_settings())
    parts = sampler.sample(classifier, pair_images, count, RUN, 0.5)
    return torch.cat([embed(classifier, part["images"], device) for part in parts]).numpy()
