"""A model from elsewhere, for the worked example of your_own.md: it knows nothing of Borderline.

A ShuffleNet of torchvision learns the ten classes of Fashion-MNIST, with the normalisation of its
authors' own, and is exported with ``torch.export``::

    python docs/train_a_model.py --images /usr/share/datasets/fashion-mnist --to model.pt2
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import shufflenet_v2_x0_5

MEAN, STD = 0.286, 0.353


def main() -> None:
    """Train, say how good it is, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of IDX files, gzipped")
    parser.add_argument("--to", type=Path, required=True, help="the .pt2 to write")
    parser.add_argument("--train", type=int, default=20_000, help="images to train on")
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()

    torch.manual_seed(0)
    model = shufflenet_v2_x0_5(num_classes=10)
    images, labels = _read(asked.images, "train", asked.train)
    steps = asked.epochs * (len(labels) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for epoch in range(asked.epochs):
        model.train()
        for rows in torch.randperm(len(labels)).split(64)[: len(labels) // 64]:
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
    model.eval()
    print(
        f"accuracy on 2,000 test images: {_accuracy(model, *_read(asked.images, 't10k', 2000)):.1%}"
    )

    program = torch.export.export(
        model, (images[:2].clone(),), dynamic_shapes=({0: torch.export.Dim("images")},)
    )
    torch.export.save(program, asked.to)


def _read(folder: Path, part: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as the network wants them, three equal channels, and labels."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)[: count * 28 * 28]
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    images = torch.from_numpy(pixels.reshape(-1, 1, 28, 28) / 255).float()
    return ((images - MEAN) / STD).expand(-1, 3, -1, -1), torch.from_numpy(labels).long()


@torch.no_grad()
def _accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    return float((model(images).argmax(1) == labels).float().mean())


if __name__ == "__main__":
    main()
