"""Trains the reader of docs/letters.md, a ShuffleNet of torchvision; it does not use Borderline.

Its weights are saved as safetensors::

    python docs/letters/train_reader.py --images letters --to reader.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import ImageFolder
from torchvision.models import shufflenet_v2_x0_5
from torchvision.transforms import v2


def main() -> None:
    """Train, print the accuracy, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="folder with train and test")
    parser.add_argument("--to", type=Path, required=True, help="the .safetensors to write")
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()

    torch.manual_seed(0)
    train = _read(options.images / "train")
    model = shufflenet_v2_x0_5(num_classes=len(train.classes))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = DataLoader(train, 64, shuffle=True, drop_last=True)
    steps = options.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for epoch in range(options.epochs):
        model.train()
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
    save_file(model.eval().state_dict(), options.to)
    test = _read(options.images / "test")
    accuracy = f"accuracy on {len(test)} images of other fonts: {_accuracy(model, test):.1%}"
    print(f"classes {', '.join(test.classes)}; {accuracy}")


def _read(folder: Path) -> ImageFolder:
    """Images of three channels in [0, 1] and the numbers of their classes."""
    steps = [v2.ToImage(), v2.RGB(), v2.ToDtype(torch.float32, scale=True)]
    return ImageFolder(folder, v2.Compose(steps))


@torch.no_grad()
def _accuracy(model: torch.nn.Module, data: Dataset[tuple[torch.Tensor, int]]) -> float:
    right = sum(int((model(x).argmax(1) == y).sum()) for x, y in DataLoader(data, 256))
    return right / len(data)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
