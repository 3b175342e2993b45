"""Nodes that explain prototypes: attributions, and what would tip the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.measures.inference import embed, has_gradients, predict
from borderline.measures.plots import draw_note, scale_of
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import NOISE, cosine_distances, directions
from borderline.pipelines.prototypes.explaining.attribution import (
    Baselines,
    agreement,
    attribute,
    baselines_of,
)
from borderline.pipelines.prototypes.explaining.faithfulness import (
    curves,
    faithfulness,
    random_curves,
)
from borderline.pipelines.prototypes.explaining.figures import (
    Strip,
    draw_cluster,
    draw_faithfulness,
    draw_prototypes,
    draw_tipping,
)
from borderline.pipelines.prototypes.explaining.randomisation import randomised, rank_correlations
from borderline.pipelines.prototypes.explaining.tipping import (
    Ways,
    blends,
    nearest_real,
    shortest_walks,
)
from borderline.pipelines.prototypes.params import ExplanationParams, Method, PrototypesParams
from borderline.records import LabelledImages
from borderline.sampling import Sampler

_NOTE = "No prototypes: {}."
_TIPPING_COLUMNS = ("prototype", "towards", "confident", "length", "share", "p", "real_rows")
_EXPLANATION_COLUMNS = (
    *("method", "agreement", "agreement_least", "deletion", "deletion_p", "insertion"),
    *("insertion_p", "randomised_last", "randomised_all"),
)


def explain_prototypes(
    prototypes: dict[str, Tensor],
    prototype_table: pd.DataFrame,
    cluster_scores: pd.DataFrame,
    pair_train: LabelledImages,
    classifier: nn.Module,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], pd.DataFrame, Figure, Figure]:
    """Explain the prototypes, and test whether the explanations are true.

    Returns:
        The maps of each method by its name, shape (K, H, W); one row a method: the correlation of
        two runs with other seeds (mean and least over the prototypes), the gains of deletion and
        insertion over random maps with their p-values, and the rank correlation with the maps of
        the model with its last and with all layers drawn anew; the sheet of prototypes with their
        maps; and a figure of the deletion and insertion curves.
    """
    images, params = prototypes["images"], settings.explanation
    baselines = baselines_of(params.shap_baseline, pair_train)
    maps: dict[Method, Tensor] = {
        method: attribute(method, classifier, images, baselines, params, run)
        for method in params.methods_of(has_gradients(classifier))
    }
    tensors = {str(method): own for method, own in maps.items()}
    if len(images) == 0:
        note = _NOTE.format(cluster_scores["note"].fillna("").iloc[0])
        table = pd.DataFrame(columns=list(_EXPLANATION_COLUMNS))
        return tensors, table, draw_note(note), draw_note(note)
    device, steps = run.torch_device(), params.curve_steps
    seed = run.seed_for("random maps")
    chance = random_curves(classifier, images, params.random_maps, steps, device, seed)
    found = {m: curves(classifier, images, own, steps, device) for m, own in maps.items()}
    scores = {method: faithfulness(own, chance) for method, own in found.items()}
    rows = []
    for method, own in maps.items():
        again = attribute(method, classifier, images, baselines, params, run, attempt=1)
        agreed = agreement(own, again).numpy()
        agreed = agreed[~np.isnan(agreed)] if np.isfinite(agreed).any() else np.array([np.nan])
        values = (
            *(method, float(agreed.mean()), float(agreed.min())),
            *scores[method],
            *_randomisation(method, own, classifier, images, baselines, params, run),
        )
        rows.append(dict(zip(_EXPLANATION_COLUMNS, values, strict=True)))
    table = pd.DataFrame(rows)
    sheet = draw_prototypes(
        images, prototypes["probabilities"], _captions(prototype_table, "\n"), maps
    )
    return tensors, table, sheet, draw_faithfulness(found, chance, scores)


def tip_prototypes(
    prototypes: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    pair_train: LabelledImages,
    classifier: nn.Module,
    sampler: Sampler,
    settings: PrototypesParams,
    run: RunParams,
) -> tuple[dict[str, Tensor], pd.DataFrame, Figure]:
    """What would tip the model at each prototype, to either side.

    Returns:
        ``walks`` (K, 2 S + 1, C, H, W) from a confident negative over the prototype to a confident
        positive, their probabilities ``walks_p`` (K, 2 S + 1), and ``real_rows`` (K, 2, k), the
        nearest real training images of class 0 and 1, with ``real_p`` (K, 2, k); one row a
        prototype and side; and a figure.
    """
    params, device = settings.tipping, run.torch_device()
    images = prototypes["images"]
    if len(images) == 0:
        table = pd.DataFrame(columns=list(_TIPPING_COLUMNS))
        return {"walks": images[:, None]}, table, draw_note("No prototypes, so nothing to tip.")
    real = pair_train["images"]
    own = embeddings["embeddings"][prototypes["rows"]].numpy()
    rows = torch.from_numpy(
        nearest_real(
            own,
            embed(classifier, real, device).numpy(),
            pair_train["labels"].numpy(),
            params.neighbours,
        )
    )
    sides: list[Ways] = []
    for side, confident in enumerate((1 - params.confident, params.confident)):
        searchable = sampler.decoder is not None and "latents" in prototypes
        if sampler.decoder is not None and searchable and has_gradients(classifier):
            sides.append(
                shortest_walks(
                    sampler.decoder,
                    classifier,
                    prototypes["latents"],
                    confident,
                    params.steps,
                    device,
                )
            )
        else:
            towards = _confident_real(own, pair_train, classifier, side, confident, run)
            sides.append(blends(classifier, images, real[towards], confident, params.steps, device))
    tensors = {
        "walks": torch.cat([sides[0].images.flip(1), sides[1].images[:, 1:]], dim=1),
        "walks_p": torch.cat([sides[0].p.flip(1), sides[1].p[:, 1:]], dim=1),
        "real_rows": rows,
        "real_p": predict(classifier, real[rows.flatten()], device).reshape(rows.shape),
    }
    # Two independent latents are about so far apart; blends end at a real image.
    apart = (2 * prototypes["latents"].shape[1]) ** 0.5 if "latents" in prototypes else None
    table = pd.DataFrame(
        [
            {
                "prototype": number,
                "towards": name,
                "confident": not np.isnan(float(ways.lengths[number])),
                "length": float(ways.lengths[number]),
                "share": float(ways.lengths[number]) / apart if apart else np.nan,
                "p": float(ways.p[number, -1]),
                "real_rows": " ".join(map(str, rows[number, side].tolist())),
            }
            for number in range(len(images))
            for side, (name, ways) in enumerate(zip(("negative", "positive"), sides, strict=True))
        ],
        columns=list(_TIPPING_COLUMNS),
    )
    how = (
        "shortest walk in latent space to p {}, {}\n(per cent: its length to either side, as a "
        "share of the way between two random latents)"
        if apart
        else "blend with the nearest real image to p {}, {}"
    ).format(*(f"{end:g}" for end in (1 - params.confident, params.confident)))
    title = f"What would tip the model: the {how}"
    return tensors, table, draw_tipping(_strips(tensors, real, table), title)


def draw_cluster_sheets(
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    prototypes: dict[str, Tensor],
    prototype_table: pd.DataFrame,
    attributions: dict[str, Tensor],
    tipping: dict[str, Tensor],
    tipping_table: pd.DataFrame,
    real_patterns: pd.DataFrame,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    settings: PrototypesParams,
) -> dict[str, Figure]:
    """A sheet for each prototype with all about its cluster, by name."""
    if len(prototypes["images"]) == 0:
        return {}
    # A model without gradients has not all of them.
    methods = [m for m in settings.explanation.methods if m in attributions]
    limits = {m: scale_of(attributions[m]) for m in methods}
    strips = _strips(tipping, pair_train["images"], tipping_table)
    every = directions(embeddings["embeddings"].numpy())
    captions = _captions(prototype_table, ", ")
    sheets = {}
    for number, (cluster, own_row) in enumerate(
        zip(prototype_table["cluster"], prototype_table["row"], strict=True)
    ):
        members = np.flatnonzero(clusters["labels"].numpy() == cluster)
        near = cosine_distances(every[[own_row]], every[members])[0].argsort(kind="stable")
        shown = members[near]
        falls = real_patterns[(real_patterns["cluster"] == cluster) & (cluster != NOISE)]
        real = torch.tensor(falls["row"].to_numpy(), dtype=torch.long)
        real_p = torch.tensor(falls["p"].to_numpy(), dtype=torch.float)
        sheets[f"cluster_{cluster:02d}_prototype_{number:02d}"] = draw_cluster(
            cluster,
            captions[number],
            (prototypes["images"][number], float(prototypes["probabilities"][number])),
            {m: attributions[m][number] for m in methods},
            limits,
            strips[number],
            (borderline["images"][shown], borderline["probabilities"][shown]),
            (pair_test["images"][real], real_p),
        )
    return sheets


def _confident_real(
    own: np.ndarray,
    real: LabelledImages,
    classifier: nn.Module,
    side: int,
    confident: float,
    run: RunParams,
) -> Tensor:
    """The nearest real image of a class that the model is confident of; else the nearest of it."""
    p = predict(classifier, real["images"], run.torch_device())
    of_class = real["labels"] == side
    sure = of_class & (p >= confident if side else p <= confident)
    rows = (sure if sure.any() else of_class).nonzero()[:, 0]
    vectors = embed(classifier, real["images"][rows], run.torch_device()).numpy()
    nearest = cosine_distances(directions(own), directions(vectors)).argmin(1)
    return rows[torch.from_numpy(nearest)]


def _randomisation(
    method: Method,
    maps: Tensor,
    classifier: nn.Module,
    images: Tensor,
    baselines: Baselines,
    params: ExplanationParams,
    run: RunParams,
) -> tuple[float, float]:
    """The rank correlation with maps of the model with its last layer, and all, drawn anew."""
    found = []
    for layers in (1, None):
        values = [
            rank_correlations(maps, attribute(method, model, images, baselines, params, run)).mean()
            for attempt in range(params.randomisations)
            if (model := randomised(classifier, layers, run, attempt)) is not None
        ]
        found.append(float(np.mean(values)) if values else np.nan)
    return found[0], found[1]


def _captions(table: pd.DataFrame, between: str) -> list[str]:
    return [
        f"{row.images:.0f} images{between}stability {row.stability:.2f}"
        if row.cluster != NOISE
        else "of no cluster"
        for row in table.itertuples()
    ]


def _strips(tipping: dict[str, Tensor], real: Tensor, table: pd.DataFrame) -> list[Strip]:
    strips = []
    ways = {(row["prototype"], row["towards"]): row for _, row in table.iterrows()}
    for number, walk in enumerate(tipping["walks"]):
        negative, positive = tipping["real_rows"][number]
        p_negative, p_positive = tipping["real_p"][number].numpy()
        said = [_said_of_way(ways[number, side]) for side in ("negative", "positive")]
        said = [f"{number}", ", ".join(said)] if any(said) else [f"{number}"]
        p = p_negative[::-1].copy(), tipping["walks_p"][number].numpy(), p_positive
        strips.append(Strip(real[negative.flip(0)], walk, real[positive], p, "\n".join(said)))
    return strips


def _said_of_way(way: pd.Series) -> str:
    if not way["confident"]:
        return "none"
    return f"{way['share']:.0%}" if pd.notna(way["share"]) else ""
