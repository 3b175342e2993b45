"""Nodes that choose prototypes, and compare them with random images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.tensors import Parts as StoredParts
from borderline.measures.confusion import confusion_distance, is_borderline
from borderline.measures.inference import embed, predict
from borderline.measures.plots import draw_image_grid, draw_note
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates, places_among
from borderline.pipelines.prototypes.choosing.figures import (
    draw_coverage,
    draw_found_again,
    draw_validation,
)
from borderline.pipelines.prototypes.choosing.measures import (
    Audience,
    coverage_curve,
    matched_similarities,
)
from borderline.pipelines.prototypes.choosing.mmd_critic import choose_criticisms, choose_prototypes
from borderline.pipelines.prototypes.choosing.repetition import (
    Clusters,
    adjusted_rand,
    generate_borderline,
    repeat,
)
from borderline.pipelines.prototypes.choosing.selection import SELECTIONS
from borderline.pipelines.prototypes.choosing.validation import (
    COLUMNS,
    MOST_AMBIGUOUS,
    Evidence,
    Real,
    most_ambiguous,
    validate,
    way_of,
)
from borderline.pipelines.prototypes.choosing.verdicts import say
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.records import LabelledImages
from borderline.sampling import Sampler

_RADII = 60
_CURVES = 200
_PROTOTYPE_COLUMNS = (
    *("prototype", "cluster", "images", "mean_p", "stability", "row", "p", "chosen_by"),
)
_REPEAT_COLUMNS = ("repeat", "images", "clusters", "ari", "note")
_MATCH_COLUMNS = ("prototype", "repeat", "row", "similarity")


def select_prototypes(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    cluster_sizes: pd.DataFrame,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], dict[str, Tensor], pd.DataFrame, Figure]:
    """Choose prototypes in every way that the settings name.

    Returns:
        Rows among the borderline images: the ``candidates`` (n,), those of each selection by its
        name (K,), and MMD-critic's ``criticisms``; the shown prototypes with ``images``
        (K, C, H, W), ``latents`` if any, ``probabilities`` and ``rows``; a table with one row for
        each; and a figure of the criticisms.
    """
    count = len(borderline["images"])
    drawn = torch.randperm(count, generator=run.generator("candidates"))[: settings.images]
    selections = {"candidates": drawn.sort().values}
    candidates = _candidates(borderline, embeddings, clusters, selections)
    for name in settings.selections:
        rows = way_of(name, run)(candidates)
        selections[name] = selections["candidates"][rows]
    number, distances = len(candidates.clusters), candidates.cosine_distances
    if number:
        fair = choose_prototypes(distances, number)
        missed = choose_criticisms(distances, fair, settings.criticisms)
    else:
        missed = np.zeros(0, dtype=np.int64)
    selections["criticisms"] = selections["candidates"][missed]
    chosen = selections[settings.shown]
    prototypes = {name: tensor[chosen] for name, tensor in borderline.items()} | {"rows": chosen}
    table = pd.DataFrame(
        {
            "prototype": range(len(chosen)),
            "cluster": clusters["labels"][chosen].tolist(),
            "row": chosen.tolist(),
            "p": prototypes["probabilities"].tolist(),
            "chosen_by": settings.shown,
        }
    ).astype({"cluster": int})
    of_clusters = cluster_sizes[["cluster", "images", "mean_p", "stability"]]
    table = table.merge(of_clusters, how="left", on="cluster")[list(_PROTOTYPE_COLUMNS)]
    figure = draw_image_grid(
        borderline["images"][selections["criticisms"]],
        borderline["probabilities"][selections["criticisms"]],
        "Criticisms: borderline images that prototypes of MMD-critic stand for badly",
    )
    return selections, prototypes, table, figure


def repeat_patterns(
    sampler: Sampler,
    classifier: nn.Module,
    pair_train: LabelledImages,
    embeddings: dict[str, Tensor],
    cluster_model: Clusters,
    cluster_sizes: pd.DataFrame,
    confusion: ConfusionParams,
    settings: PrototypesParams,
    run: RunParams,
) -> Iterator[tuple[dict[str, dict[str, Tensor]], pd.DataFrame]]:
    """Generate and cluster again with other seeds, part by part.

    Yields:
        The ``images``, ``probabilities``, ``embeddings``, ``reduced`` and ``labels`` of each
        repeat, empty where it found no two clusters; and a table with one row for each so far:
        ``ari`` is the adjusted Rand index of the new clusters with those that the images would have
        joined.
    """
    wanted = min(len(embeddings["embeddings"]), settings.validation.repeat_images)
    rows: list[dict[str, Any]] = []
    for number in range(settings.validation.repeats if len(cluster_sizes) else 1):
        own = run.model_copy(update={"seed": run.seed_for("repeat", number)})
        made, fewer, note = None, "", "there are no clusters to find again"
        if len(cluster_sizes):
            part = generate_borderline(sampler, classifier, pair_train, confusion.band, wanted, own)
            made = repeat(part, classifier, cluster_model, own, number)
            few = len(part["images"]) < wanted
            fewer = f"only {len(part['images'])} of {wanted} images" if few else ""
            note = f"{fewer or f'{wanted} images'}, in which the recipe finds no two clusters"
        row: dict[str, Any] = {"repeat": number, "images": 0, "clusters": 0, "note": note}
        tensors = {"labels": torch.zeros(0, dtype=torch.long)}
        if made is not None:
            tensors = made._asdict()
            row |= {
                "images": len(made.labels),
                "clusters": made.clusters,
                "ari": adjusted_rand(made, cluster_model),
                "note": fewer,
            }
        rows.append(row)
        yield {f"part_{number:05d}": tensors}, pd.DataFrame(rows, columns=list(_REPEAT_COLUMNS))


def match_prototypes(
    prototypes: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    repeats: StoredParts,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, Figure]:
    """Find each prototype's partner in every repeat.

    Returns:
        One row a prototype and repeat: the ``row`` of its partner among the repeat's images, and
        their cosine ``similarity`` in the model's embedding; and a figure of them.
    """
    images = prototypes["images"]
    own = embeddings["embeddings"][prototypes["rows"]].numpy()
    rows: list[dict[str, Any]] = []
    found: list[list[tuple[Tensor, float] | None]] = [[] for _ in images]
    parts = _loaded(repeats)
    for number, part in parts:
        chosen = way_of(settings.shown, run)(_candidates_of(part))
        similarities, partners = matched_similarities(own, part["embeddings"][chosen].numpy())
        for prototype, (similarity, partner) in enumerate(zip(similarities, partners, strict=True)):
            if partner < 0:
                found[prototype].append(None)
                continue
            row = int(chosen[partner])
            values = (prototype, number, row, float(similarity))
            rows.append(dict(zip(_MATCH_COLUMNS, values, strict=True)))
            found[prototype].append((part["images"][row], float(similarity)))
    table = pd.DataFrame(rows, columns=list(_MATCH_COLUMNS))
    if not rows:
        return table, draw_note("No prototypes, or no clusters with any other seed.")
    return table, draw_found_again(images, found, [number for number, _ in parts])


def validate_prototypes(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    selections: dict[str, Tensor],
    places: dict[str, Tensor],
    repeats: StoredParts,
    pair_test: LabelledImages,
    classifier: nn.Module,
    cluster_model: Clusters,
    confusion: ConfusionParams,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure, go.Figure]:
    """Compare every selection with images taken at random, and say what came of it.

    Returns:
        The table of the validation with a sentence a row, ``says``; the coverage curves by
        ``radius``; and figures of both.
    """
    own = _candidates(borderline, embeddings, clusters, selections)
    audience = Audience.of(own, places["umap"].numpy())
    real = _real_borderline(
        pair_test, places["test_umap"], classifier, cluster_model, confusion, run
    )
    rows = {
        name: places_among(selections[name], selections["candidates"]).numpy()
        for name in SELECTIONS
        if name in selections
    }
    others = [_candidates_of(part) for _, part in _loaded(repeats)]
    params = settings.validation
    wanted = min(len(embeddings["embeddings"]), params.repeat_images)
    if len(own.clusters) == 0:
        note = "No prototypes, so nothing was validated."
        table = pd.DataFrame(columns=[*COLUMNS, "says"])
        return (
            table,
            pd.DataFrame(columns=["radius"]),
            draw_note(note),
            draw_coverage(pd.DataFrame()),
        )
    table = validate(Evidence(audience, rows, others, len(repeats), real, wanted), params, run)
    table["says"] = [say(row, params.level) for _, row in table.iterrows()]
    covered = _coverage_curves(audience, rows, run)
    return table, covered, draw_validation(table, params.level), draw_coverage(covered)


def _candidates(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    selections: Mapping[str, Tensor],
) -> Candidates:
    rows = selections["candidates"]
    every = {**embeddings, **clusters, "probabilities": borderline["probabilities"]}
    names = ("embeddings", "reduced", "labels", "probabilities")
    return _candidates_of({name: every[name][rows] for name in names})


def _candidates_of(part: Mapping[str, Tensor]) -> Candidates:
    return Candidates(
        part["embeddings"].double().numpy(),
        part["reduced"].double().numpy(),
        part["labels"].numpy(),
        confusion_distance(part["probabilities"].double()).numpy(),
    )


def _loaded(repeats: StoredParts) -> list[tuple[int, dict[str, Tensor]]]:
    """The repeats that found clusters, with their numbers."""
    parts = [(number, repeats[name]()) for number, name in enumerate(sorted(repeats))]
    return [(number, part) for number, part in parts if len(part["labels"])]


def _real_borderline(
    pair_test: LabelledImages,
    places: Tensor,
    classifier: nn.Module,
    cluster_model: Clusters,
    confusion: ConfusionParams,
    run: RunParams,
) -> Real:
    device = run.torch_device()
    p = predict(classifier, pair_test["images"], device)
    rows = is_borderline(p, confusion.band).nonzero()[:, 0]
    # A dry pass gives the width even where there is no image at all.
    own = embed(classifier, pair_test["images"], device)[rows].double().numpy()
    labels = cluster_model.assign(own)[0] if len(rows) else np.zeros(0, dtype=np.int64)
    return Real(own, labels, places[rows].numpy())


def _coverage_curves(
    audience: Audience, selections: Mapping[Any, np.ndarray], run: RunParams
) -> pd.DataFrame:
    own, radii = audience.candidates, np.linspace(0, audience.radius, _RADII)
    count = len(own.clusters)
    rows = {**selections, MOST_AMBIGUOUS: most_ambiguous(own)}
    covered = {
        str(name): coverage_curve(audience.chosen(chosen), audience, radii)
        for name, chosen in rows.items()
    }
    random = np.random.default_rng(run.seed_for("random curves"))
    drawn = np.stack(
        [
            coverage_curve(
                audience.chosen(random.choice(len(own), count, replace=False)), audience, radii
            )
            for _ in range(_CURVES)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return pd.DataFrame({"radius": radii, **covered, "random_low": low, "random_high": high})
