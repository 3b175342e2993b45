from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch

from borderline.params import RunParams
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.stream import has_diverged, stream_epochs, stream_parts
from borderline.sampling import Parts
from conftest import gan_params


def parts_with(note: str) -> Parts:
    for size in (3, 2):
        yield {"images": torch.zeros(size, 1, 2, 2), "probabilities": torch.zeros(size)}
    return note


def test_parts_are_named_in_order_and_the_outcome_goes_along() -> None:
    steps = list(stream_parts(parts_with("too few"), seconds=100.0, note="stopped early"))
    assert [list(part) for part, _ in steps] == [["part_00000"], ["part_00001"], []]
    assert [outcome["images"][0] for _, outcome in steps] == [3, 5, 5]
    assert all(outcome["seconds"][0] > 100 for _, outcome in steps)
    assert [outcome["note"][0] for _, outcome in steps] == [
        *("stopped early", "stopped early", "stopped early; too few")
    ]
    assert list(stream_parts(parts_with("")))[-1][1]["note"][0] == ""


def test_only_a_row_without_scores_is_a_divergence() -> None:
    good = [{"epoch": 1, "generator_loss": 1.0, "images": 64, "fd_lenet": float("nan")}]
    assert not has_diverged(pd.DataFrame(good))
    assert has_diverged(pd.DataFrame([{"epoch": 1, "generator_loss": float("nan")}]))
    assert has_diverged(pd.DataFrame([*good, {"epoch": 2, "generator_loss": float("inf")}]))


class Brightness(torch.nn.Module):
    """A model under test."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("by_tenths", "of_step_2"),
    [(False, ["epoch_0001"]), (True, ["epoch_0001", "epoch_0001_sorted"])],
)
def test_sorted_samples_stand_beside_the_grid_of_step_2(
    run: RunParams, by_tenths: bool, of_step_2: list[str]
) -> None:
    gan = Gan(gan_params(latent_dim=2, batch_size=2), (1, 8, 8), run)
    history = [{"epoch": 1.0, "images": 64.0, "yield": 0.5, "acd": 0.1}]
    for model, names in ((None, ["epoch_0001"]), (Brightness(), of_step_2)):
        ((_, _, grids),) = stream_epochs(
            [(history, None)], gan, torch.randn(64, 2), model, by_tenths=by_tenths
        )
        assert list(grids) == names


def test_as_many_samples_are_drawn_as_the_settings_say(run: RunParams) -> None:
    gan = Gan(gan_params(latent_dim=2, batch_size=2, samples=3), (1, 8, 8), run)
    history = [{"epoch": 1.0, "images": 64.0}]
    ((_, _, grids),) = stream_epochs([(history, None)], gan, torch.randn(64, 2))
    picture = grids["epoch_0001"].axes[0].images[0].get_array()
    assert picture.shape[0] < 100, "one row of images"


@pytest.mark.road
def test_six_times_the_images_need_no_more_memory() -> None:
    """All kinds in one process: a kind that needs more shows above the peak of those before it."""
    code = """
import json, resource, torch
from torch import nn
from borderline.params import (RunParams)
from borderline import sampling
from borderline.pipelines.gasten.latent_search import SearchSampler
from borderline.pipelines.gasten.pixel_blends import BlendSampler
from borderline.sampling import GanSampler

torch.set_num_threads(1)
sampling.PART_SIZE = 2000
run = RunParams(seed=0, device="cpu")

class Generator(nn.Module):
    latent_dim = 8
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(8, 784)
    def forward(self, latents):
        return torch.tanh(self.net(latents)).reshape(-1, 1, 28, 28)

class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(784, 1)
    def forward(self, images):
        return 20 * self.net(images.flatten(1))[:, 0]

torch.manual_seed(0)
generator, classifier = Generator().eval(), Classifier().eval()
images = torch.rand(800, 1, 28, 28) * 2 - 1
real = {"images": images, "labels": (classifier(images) > 0).long()}

samplers = {
    "gasten": lambda: GanSampler(generator=generator),
    "latent_search": lambda: SearchSampler(
        generator=generator, pairs="random", truncation=None, spread=0.0, tolerance=0.01
    ),
    "pixel_bisection": lambda: BlendSampler(pairs="random", tolerance=0.01),
}

def peak(kind, count):
    parts = samplers[kind]().sample(classifier, real, count, run, 0.5)
    total = sum(len(part["images"]) for part in parts)
    assert total > 0.95 * count, total
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

few = max([peak(kind, 6000) for kind in samplers])
print(json.dumps({kind: peak(kind, 36000) - few for kind in samplers}))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    # The images alone would be 94 MB more; an allocator keeps up to 40 as it likes.
    more = json.loads(result.stdout)
    assert more.keys() == {"gasten", "latent_search", "pixel_bisection"}
    assert max(more.values()) < 70, more
