"""The kind of an image source, from its files."""

from __future__ import annotations

from pathlib import Path

from borderline.errors import BorderlineError


def kind_of_images(path: str) -> str:
    """The kind of an image source, from the files at its path."""
    folder = Path(path).expanduser()
    if path == "mnist_sample":
        return path
    if folder.suffix == ".npz":
        return "arrays"
    patterns = {
        "idx": ("train-images*",),
        "hugging_face": ("dataset_dict.json", "dataset_info.json", "state.json"),
        "arrays": ("*.npy",),
        "image_folder": ("*/",),
    }
    for kind, names in patterns.items():
        if any(any(folder.glob(name)) for name in names):
            return kind
    raise BorderlineError(
        f"images is {path!r}, but there are none: name a folder with one folder per class, or with "
        "IDX files, .npy files or a dataset of save_to_disk; or an .npz file; or mnist_sample."
    )
