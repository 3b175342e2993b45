"""Our search for a recipe of UMAP and a Gaussian mixture against the way of the reference.

The plain way is that of Gomes et al. 2024: Optuna's TPE, 20 trials, each the mean silhouette of
five fits of UMAP and of the mixture, one without each fifth of the images; unseeded, so that UMAP
may use all cores. Ours is seeded, has the same space, and the default number of trials. Both
winners are then fitted on all images, and the silhouette of all of them is compared, in the
reduced space as the reference has it.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import optuna
import umap
import yaml
from common import RUN, borderline_embeddings, machine
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold

from borderline.pipelines.clustering.finalists import fit_finalists
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.clustering.search import search

IMAGES = 2_000
TRIALS = 20
FOLDS = 5
CONF = Path(__file__).parents[1] / "conf"


def clustering_params(**changed: object) -> ClusteringParams:
    """The settings of the search of Gomes et al. 2024, some of them changed."""
    base, paper = (
        yaml.safe_load((CONF / name).read_text())["clustering"]
        for name in ("base/parameters_clustering.yml", "presets/paper.yml")
    )
    return ClusteringParams.model_validate(base | paper | changed)


PARAMS = clustering_params(reductions=["umap"], clusterings=["gmm"])


def ours(embeddings: np.ndarray) -> float:
    """The silhouette of our winner, fitted in full."""
    with TemporaryDirectory() as folder:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/studies.sqlite")
        *_, trials = search(embeddings, storage, PARAMS, RUN)
        model, scores = fit_finalists(trials, embeddings, PARAMS, RUN)[0]
        storage.engine.dispose()
    print("ours:", model.recipe, scores["sizes"])
    return float(silhouette_score(model.points, model.clusters.labels))


def plain(embeddings: np.ndarray) -> float:
    """The silhouette of the reference's winner, fitted in full."""

    def fit(parameters: dict[str, float], rows: np.ndarray) -> float:
        settings = dict(parameters)
        mixture = GaussianMixture(int(settings.pop("clusters")), init_params="k-means++")
        reduced = umap.UMAP(metric="cosine", **settings).fit_transform(embeddings[rows])
        return float(silhouette_score(reduced, mixture.fit_predict(reduced)))

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("n_neighbors", *PARAMS.umap.n_neighbors)
        trial.suggest_float("min_dist", *PARAMS.umap.min_dist)
        trial.suggest_int("n_components", *PARAMS.umap.n_components)
        trial.suggest_int("clusters", *PARAMS.gmm.n_components)
        folds = KFold(FOLDS, shuffle=True, random_state=0).split(embeddings)
        return float(np.mean([fit(trial.params, rows) for rows, _ in folds]))

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=RUN.seed)
    )
    study.optimize(objective, n_trials=TRIALS)
    silhouette = fit(study.best_params, np.arange(len(embeddings)))
    print("plain:", study.best_params, f"mean of its folds {study.best_value:.3f}")
    return silhouette


def main() -> None:
    """Print the seconds and silhouettes of both, and the ratio."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    embeddings = borderline_embeddings(IMAGES)
    for some in (None, 0):  # UMAP compiles for seconds, with a seed and without
        umap.UMAP(n_epochs=11, metric="cosine", random_state=some).fit(embeddings[:200])
    seconds, silhouettes = [], []
    for way in (ours, plain):
        start = time.perf_counter()
        silhouettes.append(way(embeddings))
        seconds.append(time.perf_counter() - start)
    print(machine(), f"{len(embeddings)} x {embeddings.shape[1]} embeddings")
    print(f"ours: {seconds[0]:.1f} s, silhouette {silhouettes[0]:.3f}")
    print(f"plain: {seconds[1]:.1f} s, silhouette {silhouettes[1]:.3f}")
    print(f"ratio clustering_search: {seconds[1] / seconds[0]:.1f}")
    print(f"ratio clustering_search_silhouette: {silhouettes[0] / silhouettes[1]:.2f}")


if __name__ == "__main__":
    main()
