"""How time and memory of the clustering stage grow, from 1,000 to 100,000 images of 392 dimensions.

Each size is measured in a process of its own, twice: the whole stage with the default settings
(search, finalists, stability, comparison with clouds, and the assignment of those beyond
``clustering.fit_size``), and one recipe of UMAP and a Gaussian mixture fitted on every image. The
figures go into ``docs/clustering_scale.png``. For Linux, which tells the peak memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from clustering_search import clustering_params
from common import RUN, borderline_embeddings, machine
from matplotlib.figure import Figure
from torch import nn

from borderline.datasets import StudyStorage
from borderline.pipelines.clustering import nodes
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.recipe import Recipe
from borderline.pipelines.clustering.reductions import Reduction, neighbours_of
from borderline.pipelines.clustering.scores import Scorer

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
WAYS = {"stage": "the whole stage", "one_fit": "UMAP and GMM fitted on all"}
RECIPE = Recipe(
    Reduction("umap", {"n_neighbors": 15, "min_dist": 0.01, "n_components": 5}),
    Clustering("gmm", {"n_components": 5}),
)


def stage(vectors: np.ndarray, folder: Path) -> dict[str, float]:
    """The nodes of the stage, one after the other."""
    params, count = clustering_params(), len(vectors)
    fitted = torch.randperm(count, generator=RUN.generator("fitted images"))[: params.fit_size]
    embeddings = {"embeddings": torch.from_numpy(vectors), "fitted": fitted.sort().values}
    storage = StudyStorage(filepath=str(folder / "studies.sqlite")).load()
    settings = {"clustering": params, "run": RUN}
    alone = {"pool": {}, "gans": {}, **settings}
    *_, (trials, _) = nodes.search_clusters(embeddings, storage, **alone)
    recipe, finalists, stability = nodes.choose_recipe(embeddings, trials, **alone)
    structure = nodes.compare_with_noise(embeddings, finalists, recipe, {}, **settings)
    images = {"images": torch.zeros(count, 1, 28, 28), "probabilities": torch.full((count,), 0.5)}
    _, _, scores, _, _ = nodes.cluster_borderline(
        *(images, embeddings, recipe, finalists, stability, structure, nn.Module()),
        pair_names={"negative": "1", "positive": "7"},
        **alone,
    )
    return {name: float(scores[name].iloc[0]) for name in ("silhouette", "silhouette_error")}


def one_fit(vectors: np.ndarray, _: Path) -> dict[str, float]:
    """One recipe on every image."""
    params = clustering_params()
    model = RECIPE.fit(vectors, neighbours_of(vectors, params), params, RUN)
    assert model is not None
    scores = Scorer(vectors, params, 0).in_space(model.points).all(model.clusters)
    return {name: float(scores[name]) for name in ("silhouette", "silhouette_error")}


def measure(way: str, file: str, count: int) -> None:
    """One measurement, in a process of its own, as a line of JSON."""
    vectors = np.load(file, mmap_mode="r")[:count].copy()
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        scores = {"stage": stage, "one_fit": one_fit}[way](vectors, Path(folder))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "megabytes": _peak(), **scores}))


def _peak() -> float:
    # Not ru_maxrss: that of a new process begins with the memory of the one that started it.
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


def main() -> None:
    """Print a line for each size and way, and draw how they grow."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with TemporaryDirectory() as folder:
        file = f"{folder}/embeddings.npy"
        np.save(file, borderline_embeddings(max(SIZES)))
        print(machine())
        for count in SIZES:
            for way in WAYS:
                command = [sys.executable, __file__, way, file, str(count)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found[way].append(json.loads(output.splitlines()[-1]))
                print(f"{count:7,} images, {WAYS[way]}:", json.dumps(found[way][-1]), flush=True)
    figure = Figure(figsize=(10, 4), layout="constrained", dpi=120)
    axes = figure.subplots(1, 2)
    for ax, (what, limit) in zip(
        axes, {"seconds": 15 * 60, "megabytes": 8 * 1024}.items(), strict=True
    ):
        for (way, label), marker in zip(WAYS.items(), "os", strict=True):
            values = [measured[what] for measured in found[way]]
            ax.loglog(SIZES, values, marker=marker, label=label)
        ax.axhline(limit, color="grey", linestyle="--", label="15 minutes, 8 GB")
        ax.set(xlabel="borderline images, 392 dimensions", ylabel=what)
        ax.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle("Clustering: time and peak memory")
    figure.savefig(Path(__file__).parents[1] / "docs/clustering_scale.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
