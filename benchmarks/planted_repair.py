"""A planted weakness: MNIST 7 against 1 whose training images lack strongly slanted sevens.

docs/repair.md has the results. Three steps, with the files of MNIST (IDX) in a folder:

    kedro run --env mnist_7v1 --params 'grid.generators=[latent_search],preset=null'
    python benchmarks/planted_repair.py plant <MNIST> data/06_models/mnist_7v1 cnn_2 <planted>
    kedro run --env <yours>,  then  kedro run --env <yours> --pipelines repair
    python benchmarks/planted_repair.py score <planted> data <case> <model>

``plant`` writes the images without these sevens, and the generator and the judge of the first run,
which know them, as exported programs. The environment takes these images as ``source`` (kind
``idx``), the generator as one of kind ``imported`` with a ``latent_search`` in its space, and the
judge as one of kind ``imported``. ``score`` prints the error of each arm on the slanted sevens of
the test set.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.stats import binomtest, false_discovery_control, ttest_rel

from borderline.datasets import ModelDataset
from borderline.measures.image_properties import image_properties

SEVEN = 7
QUANTILE = 0.8
"""Of the slant of the training sevens; those above it are taken out."""
TEST_ROWS = "slanted_test_sevens.npy"


def read_idx(file: Path) -> np.ndarray:
    """Images (N, 28, 28) or labels (N,) of an IDX file."""
    content = file.read_bytes()
    shape = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def write_idx(file: Path, values: np.ndarray) -> None:
    """Write an IDX file."""
    head = struct.pack(f">{1 + values.ndim}I", 0x800 + values.ndim, *values.shape)
    file.write_bytes(head + values.tobytes())


def slant(images: np.ndarray) -> np.ndarray:
    """The slant of images (N, 28, 28) in degrees, (N,)."""
    scaled = torch.tensor(images).float()[:, None] / 127.5 - 1
    return image_properties(scaled, ground=True)["slant"].to_numpy()


def export(network: torch.nn.Module, example: torch.Tensor, file: Path) -> None:
    """Export a network for batches of any size."""
    batch = {0: torch.export.Dim("n", min=1, max=8192)}
    program = torch.export.export(network.eval(), (example,), dynamic_shapes=(batch,))
    torch.export.save(program, file)


def plant(mnist: Path, models: Path, model: str, folder: Path) -> None:
    """Write the images, the rows of the slanted test sevens, the generator and the judge."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = (
        [read_idx(mnist / f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1")]
        for part in ("train", "t10k")
    )
    sevens = np.flatnonzero(train[1] == SEVEN)
    slants = slant(train[0][sevens])
    limit = np.quantile(slants, QUANTILE)
    kept = np.setdiff1d(np.arange(len(train[1])), sevens[slants > limit])
    slanted = slant(test[0][test[1] == SEVEN]) > limit
    np.save(folder / TEST_ROWS, slanted)
    for part, values in (("train", [all_[kept] for all_ in train]), ("t10k", test)):
        write_idx(folder / f"{part}-images-idx3-ubyte", values[0])
        write_idx(folder / f"{part}-labels-idx1-ubyte", values[1])
    sampler = ModelDataset(filepath=str(models / model / "sampler.safetensors")).load()
    judge = ModelDataset(filepath=str(models / "judge" / "judge.safetensors")).load()
    latents = torch.randn(4, int(sampler.generator.latent_dim))
    export(sampler.generator, latents, folder / "generator.pt2")
    export(judge, torch.rand(4, 1, 28, 28) * 2 - 1, folder / "judge.pt2")
    print(f"{int((slants > limit).sum())} training sevens with a slant above {limit:.1f} degrees")
    print(f"are left out; {int(slanted.sum())} of {len(slanted)} test sevens have one")


def score(folder: Path, data: Path, case: str, model: str) -> None:
    """Print the error of each arm on the slanted test sevens, compared with the arm ``random``."""
    labels = load_file(data / "03_primary" / case / "pair_test.safetensors")["labels"].numpy()
    rows = np.flatnonzero(labels == 1)[np.load(folder / TEST_ROWS)]
    wrong: dict[str, list[np.ndarray]] = {}
    trainings = data / "06_models" / case / model / "repair" / "trainings"
    for file in sorted(trainings.glob("*.pt")):
        state = torch.load(file, weights_only=True)["state"]
        arm = file.stem.partition("_seed_")[0]
        wrong.setdefault(arm, []).append(state["test_p"].numpy()[rows] <= state["threshold"])
    errors = {arm: 100 * np.mean(each, axis=1) for arm, each in wrong.items()}
    majority = {arm: np.mean(each, axis=0) > 0.5 for arm, each in wrong.items()}
    others = [arm for arm in errors if arm != "random"]
    tests = {arm: ttest_rel(errors[arm], errors["random"]) for arm in others}
    corrected = false_discovery_control([tests[arm].pvalue for arm in others])
    print(f"random {errors['random'].mean():.2f} % of {len(rows)} slanted sevens")
    for arm, p in zip(others, corrected, strict=True):
        ends = tests[arm].confidence_interval()
        gap = (errors[arm] - errors["random"]).mean()
        only = int((majority[arm] & ~majority["random"]).sum())
        only_random = int((majority["random"] & ~majority[arm]).sum())
        mcnemar = binomtest(only, only + only_random).pvalue if only + only_random else 1.0
        print(
            f"{arm} {errors[arm].mean():.2f} %, to random {gap:+.2f} [{ends.low:+.2f}, "
            f"{ends.high:+.2f}], corrected p {p:.3f}; McNemar {only}:{only_random}, p {mcnemar:.3f}"
        )


if __name__ == "__main__":
    step, *arguments = sys.argv[1:]
    if step == "plant":
        mnist, models, model, folder = arguments
        plant(Path(mnist), Path(models), model, Path(folder))
    else:
        folder, data, case, model = arguments
        score(Path(folder), Path(data), case, model)
