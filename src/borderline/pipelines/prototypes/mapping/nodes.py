"""Nodes that place images on 2D maps."""

from __future__ import annotations

import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.measures.inference import embed, predict
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import places_among
from borderline.pipelines.prototypes.mapping.figures import (
    MapImages,
    draw_interactive_map,
    draw_maps,
)
from borderline.pipelines.prototypes.mapping.projection import tsne_2d, umap_2d
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.records import LabelledImages


def place_images(
    embeddings: dict[str, Tensor],
    selections: dict[str, Tensor],
    pair_test: LabelledImages,
    classifier: nn.Module,
    settings: PrototypesParams,
    run: RunParams,
) -> dict[str, Tensor]:
    """Where test images and candidates are on the 2D maps.

    Returns:
        ``test_umap`` (M, 2) and ``umap`` (n, 2) of all test images and candidates;
        ``test_shown`` (m,) and ``shown`` (k,), the rows of those that are drawn, every shown
        prototype among them; ``test_tsne`` (m, 2) and ``tsne`` (k, 2) of these.
    """
    test = embed(classifier, pair_test["images"], run.torch_device()).numpy()
    own = embeddings["embeddings"][selections["candidates"]].numpy()
    test_umap, umap = umap_2d(test, own, settings.map.neighbors, run.seed_for("map"))
    random, most = run.generator("shown on the map"), settings.map.images
    test_shown = torch.randperm(len(test), generator=random)[:most].sort().values
    prototypes = places_among(selections[settings.shown], selections["candidates"])
    others = torch.randperm(len(own), generator=random)
    others = others[~torch.isin(others, prototypes)]
    shown = torch.cat([prototypes, others])[: max(most, len(prototypes))].sort().values
    test_tsne, tsne = tsne_2d(
        test[test_shown], own[shown], settings.map.perplexity, run.seed_for("t-SNE map")
    )
    places = {"test_umap": test_umap, "umap": umap, "test_tsne": test_tsne, "tsne": tsne}
    return {name: torch.from_numpy(own).double() for name, own in places.items()} | {
        "test_shown": test_shown,
        "shown": shown,
    }


def map_prototypes(
    borderline: dict[str, Tensor],
    clusters: dict[str, Tensor],
    selections: dict[str, Tensor],
    places: dict[str, Tensor],
    pair_test: LabelledImages,
    classifier: nn.Module,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[Figure, go.Figure]:
    """The 2D maps as a picture and as a page."""
    shown, test_shown = places["shown"], places["test_shown"]
    rows = selections["candidates"][shown]
    images = pair_test["images"][test_shown]
    test = MapImages(
        images,
        predict(classifier, images, run.torch_device()).numpy(),
        pair_test["labels"][test_shown].numpy(),
        {"umap": places["test_umap"][test_shown].numpy(), "tsne": places["test_tsne"].numpy()},
    )
    own = MapImages(
        borderline["images"][rows],
        borderline["probabilities"][rows].numpy(),
        clusters["labels"][rows].numpy(),
        {"umap": places["umap"][shown].numpy(), "tsne": places["tsne"].numpy()},
    )
    prototypes = places_among(selections[settings.shown], rows).numpy()
    return draw_maps(test, own, prototypes), draw_interactive_map(test, own, prototypes)
