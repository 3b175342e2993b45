"""The kind of an image source, from its files."""

from __future__ import annotations

from pathlib import Path

from borderline.errors import BorderlineError

_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")


def kind_of_images(path: str) -> str:
    """The kind of an image source, from the files at its path."""
    folder = Path(path).expanduser()
    if path == "mnist_sample":
        return path
    if folder.suffix.lower() == ".npz":
        return "arrays"
    if folder.suffix.lower() in _TABLES and (folder.is_file() or "://" in path):
        return "table"
    patterns = {
        # Some archives unpack each file into a folder of its name.
        "idx": ("train-images*", "train-images*/train-images*"),
        "cifar10": ("test_batch*", "cifar-10-batches-*/test_batch*"),
        "hugging_face": ("dataset_dict.json", "dataset_info.json", "state.json"),
        "arrays": ("*.npy",),
        "image_folder": ("metadata.csv", "metadata.jsonl", "metadata.parquet"),
    }
    for kind, names in patterns.items():
        if any(place.is_file() for name in names for place in folder.glob(name)):
            return kind
    if any(place.is_dir() for place in folder.glob("*/")):
        return "image_folder"
    raise BorderlineError(
        f"--images is {path!r}, but there are none: name a folder with one folder per class, or "
        "with IDX files, files of CIFAR-10, .npy files or a dataset of save_to_disk; or an .npz "
        f"file; or a table of paths and labels ({', '.join(_TABLES)}); or mnist_sample."
    )
