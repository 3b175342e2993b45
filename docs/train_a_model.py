"""Trains the model of the worked example in your_own.md; it does not use Borderline.

A ShuffleNet of torchvision learns the ten classes of Fashion-MNIST, normalised by their mean and
standard deviation. Its weights are saved as safetensors::

    python docs/train_a_model.py --images /usr/share/datasets/fashion-mnist --to model.safetensors
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import shufflenet_v2_x0_5

MEAN, STD = 0.286, 0.353


def main() -> None:
    """Train, print the accuracy, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of gzipped IDX files")
    parser.add_argument("--to", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--train", type=int, default=20_000, help="number of training images")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()

    torch.manual_seed(0)
    model = shufflenet_v2_x0_5(num_classes=10)
    images, labels = _read(options.images, "train", options.train)
    steps = options.epochs * (len(labels) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for epoch in range(options.epochs):
        model.train()
        for rows in torch.randperm(len(labels)).split(64)[: len(labels) // 64]:
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
    model.eval()
    accuracy = _accuracy(model, *_read(options.images, "t10k", 2000))
    print(f"accuracy on 2,000 test images: {accuracy:.1%}")
    save_file(model.state_dict(), options.to)


def _read(folder: Path, subset: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised images with three equal channels (N, 3, 28, 28), and their labels (N,)."""
    with gzip.open(folder / f"{subset}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)[: count * 28 * 28]
    with gzip.open(folder / f"{subset}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    images = torch.from_numpy(pixels.reshape(-1, 1, 28, 28) / 255).float()
    return ((images - MEAN) / STD).expand(-1, 3, -1, -1), torch.from_numpy(labels).long()


@torch.no_grad()
def _accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    return float((model(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    main()
