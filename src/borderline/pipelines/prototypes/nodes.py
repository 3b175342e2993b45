"""The nodes of stage 5."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.image_source import LabelledImages
from borderline.grid import Grid
from borderline.measures.inference import embed
from borderline.params import RunParams
from borderline.pipelines.prototypes.explanation import gradient_shap
from borderline.pipelines.prototypes.figures import draw_map, draw_prototypes
from borderline.pipelines.prototypes.maps import umap_2d
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.pipelines.prototypes.selection import medoids

_TABLES_A_MODEL = 4


def select_prototypes(
    borderline: dict[str, Tensor], clusters: dict[str, Tensor], cluster_sizes: pd.DataFrame
) -> tuple[dict[str, Tensor], pd.DataFrame]:
    """The medoid of each cluster in the reduced space.

    Returns:
        ``images`` (K, C, H, W), ``latents``, ``probabilities`` and ``rows`` among the borderline
        images; and a table with one row for each.
    """
    rows = medoids(clusters["reduced"], clusters["labels"])
    prototypes = {name: tensor[rows] for name, tensor in borderline.items()} | {"rows": rows}
    table = cluster_sizes.assign(row=rows.numpy(), p=prototypes["probabilities"].numpy())
    return prototypes, table


def explain_prototypes(
    prototypes: dict[str, Tensor],
    prototype_table: pd.DataFrame,
    cluster_scores: pd.DataFrame,
    classifier: nn.Module,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], Figure]:
    """``attributions`` (K, H, W) of the prototypes, and the sheet that shows both."""
    images = prototypes["images"]
    attributions = gradient_shap(classifier, images, settings.shap_samples, run)
    note = str(cluster_scores["note"].fillna("").iloc[0])
    figure = draw_prototypes(
        images, prototypes["probabilities"], attributions, prototype_table["images"].tolist(), note
    )
    return {"attributions": attributions}, figure


def map_prototypes(
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    prototypes: dict[str, Tensor],
    pair_test: LabelledImages,
    classifier: nn.Module,
    settings: PrototypesParams,
    run: RunParams,
) -> Figure:
    """The 2D map of test set, clusters and prototypes, in the model's embedding."""
    test_map, borderline_map = umap_2d(
        embed(classifier, pair_test["images"], run.torch_device()),
        embeddings["embeddings"],
        settings.map_neighbors,
        run.seed_for("map"),
    )
    return draw_map(
        test_map,
        pair_test["labels"].numpy(),
        borderline_map,
        clusters["labels"].numpy(),
        prototypes["rows"].numpy(),
    )


def summarise(grid: Grid, *tables: pd.DataFrame) -> pd.DataFrame:
    """One row a model under test: what the run found.

    Args:
        grid: Names the models, in the order of their tables.
        tables: For each model its classifier scores, leaderboard, cluster scores and prototypes.
    """
    rows = []
    for i, model in enumerate(grid.models):
        first = _TABLES_A_MODEL * i
        classifier, leaderboard, clusters, prototypes = tables[first : first + _TABLES_A_MODEL]
        chosen = leaderboard[leaderboard["chosen"]].iloc[0]
        rows.append(
            {
                "model": model,
                "generator": chosen["source"],
                "accuracy": classifier["accuracy"].iloc[0],
                "images": chosen["images"],
                "borderline": chosen["borderline"],
                "yield": chosen["yield"],
                "acd": chosen["acd"],
                "fd_lenet": chosen["fd_lenet"],
                "fd_lenet_n": chosen["fd_lenet_n"],
                "fd_lenet_borderline": chosen["fd_lenet_borderline"],
                "fd_lenet_borderline_n": chosen["fd_lenet_borderline_n"],
                "silhouette": clusters["silhouette"].iloc[0],
                "davies_bouldin": clusters["davies_bouldin"].iloc[0],
                "stability": clusters["ari_resamples"].iloc[0],
                "structure_p": clusters["structure_p"].iloc[0],
                "prototypes": len(prototypes),
                "doubts": clusters["doubts"].fillna("").iloc[0],
                "note": clusters["note"].fillna("").iloc[0],
            }
        )
    return pd.DataFrame(rows)
