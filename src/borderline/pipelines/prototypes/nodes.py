"""The nodes of stage 5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.datasets.image_source import LabelledImages
from borderline.datasets.tensors import Parts as StoredParts
from borderline.grid import Grid
from borderline.measures.confusion import confusion_distance, is_borderline
from borderline.measures.inference import embed, has_gradients, predict
from borderline.measures.plots import draw_image_grid, scale_of
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.prototypes.candidates import (
    NOISE,
    Candidates,
    cosine_distances,
    directions,
)
from borderline.pipelines.prototypes.charts import (
    draw_coverage,
    draw_faithfulness,
    draw_rejection,
    draw_validation,
)
from borderline.pipelines.prototypes.explanation import (
    Baselines,
    agreement,
    attribute,
    baselines_of,
)
from borderline.pipelines.prototypes.faithfulness import curves, faithfulness, random_curves
from borderline.pipelines.prototypes.figures import (
    Strip,
    draw_cluster,
    draw_found_again,
    draw_note,
    draw_prototypes,
    draw_tipping,
)
from borderline.pipelines.prototypes.map_figures import (
    MapImages,
    draw_interactive_map,
    draw_maps,
)
from borderline.pipelines.prototypes.maps import tsne_2d, umap_2d
from borderline.pipelines.prototypes.measures import (
    Audience,
    coverage_curve,
    matched_similarities,
)
from borderline.pipelines.prototypes.mmd_critic import choose_criticisms, choose_prototypes
from borderline.pipelines.prototypes.params import ExplanationParams, Method, PrototypesParams
from borderline.pipelines.prototypes.randomisation import randomised, rank_correlations
from borderline.pipelines.prototypes.rejection import (
    CONFIDENCE,
    NAMES,
    compare_rejection,
    errors_near,
    risks,
    with_bounds,
)
from borderline.pipelines.prototypes.repetition import (
    Clusters,
    adjusted_rand,
    generate_borderline,
    repeat,
)
from borderline.pipelines.prototypes.selection import SELECTIONS
from borderline.pipelines.prototypes.tipping import Ways, blends, nearest_real, shortest_walks
from borderline.pipelines.prototypes.validation import (
    COLUMNS,
    MOST_AMBIGUOUS,
    Evidence,
    Real,
    most_ambiguous,
    validate,
    way_of,
)
from borderline.pipelines.prototypes.verdicts import doubts, say
from borderline.sampling import Sampler

_SUMMARISED_OF_GENERATOR = (
    *("images", "borderline", "yield", "acd", "fd_lenet", "fd_lenet_n"),
    *("fd_lenet_borderline", "fd_lenet_borderline_n"),
)
_RADII = 60
_CURVES = 200
# Below this p-value of typicality, a test image is near no cluster.
_OUTLIER = 0.05
_NOTE = "No prototypes: {}."
_PROTOTYPE_COLUMNS = (
    *("prototype", "cluster", "images", "mean_p", "stability", "row", "p", "chosen_by"),
)
_REPEAT_COLUMNS = ("repeat", "images", "clusters", "ari", "note")
_MATCH_COLUMNS = ("prototype", "repeat", "row", "similarity")
_TIPPING_COLUMNS = ("prototype", "towards", "confident", "length", "share", "p", "real_rows")
_EXPLANATION_COLUMNS = (
    *("method", "agreement", "agreement_least", "deletion", "deletion_p", "insertion"),
    *("insertion_p", "randomised_last", "randomised_all"),
)


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
    prototypes = _among(selections[settings.shown], selections["candidates"])
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
    prototypes = _among(selections[settings.shown], rows).numpy()
    return draw_maps(test, own, prototypes), draw_interactive_map(test, own, prototypes)


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
        name: _among(selections[name], selections["candidates"]).numpy()
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


def evaluate_patterns(
    prototypes: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    selections: dict[str, Tensor],
    cluster_model: Clusters,
    cluster_sizes: pd.DataFrame,
    pair_test: LabelledImages,
    classifier: nn.Module,
    run: RunParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Whether the patterns help: errors of the model near them, and abstaining near them.

    Returns:
        The model's real test errors near each cluster; one row a way to abstain; and their
        risk-coverage curves.
    """
    device = run.torch_device()
    p = predict(classifier, pair_test["images"], device)
    wrong = ((p > 0.5).long() != pair_test["labels"]).numpy()
    test = embed(classifier, pair_test["images"], device).numpy()
    labels, _, _ = cluster_model.assign(test)
    near = cluster_model.typicality(test) >= _OUTLIER
    table = errors_near(labels, near, wrong, len(cluster_sizes))
    scores = {CONFIDENCE: confusion_distance(p).double().numpy()}
    if len(prototypes["rows"]):
        own, borderline = directions(test), embeddings["embeddings"].numpy()
        to_prototypes, to_borderline = (
            cosine_distances(own, directions(borderline[rows.numpy()])).min(1)
            for rows in (prototypes["rows"], selections["candidates"])
        )
        scores |= {"prototypes": to_prototypes, "borderline_images": to_borderline}
        ranks = [pd.Series(s).rank().to_numpy() for s in (scores[CONFIDENCE], to_prototypes)]
        scores["confidence_and_prototypes"] = ranks[0] + ranks[1]
    compared = compare_rejection(scores, wrong, run.seed_for("rejection"))
    risked = {name: risks(own, wrong) for name, own in with_bounds(scores, wrong).items()}
    areas = compared.set_index("abstains_by")["aurc"]
    shown = {name: f"{NAMES[name]} (area {areas[name]:.4f})" for name in risked}
    title = f"Abstaining near patterns: {int(wrong.sum())} errors in {len(wrong)} real test images"
    return table, compared, draw_rejection(risked, shown, title)


def summarise_model(
    classifier_scores: pd.DataFrame,
    leaderboard: pd.DataFrame,
    cluster_scores: pd.DataFrame,
    prototype_table: pd.DataFrame,
    validation: pd.DataFrame,
    errors_near_patterns: pd.DataFrame,
    settings: PrototypesParams,
) -> pd.DataFrame:
    """What the run found about a model, in one row."""
    clusters = cluster_scores.iloc[0]
    chosen = leaderboard[leaderboard["chosen"]].iloc[0]
    own = validation[validation["chosen_by"] == settings.shown].set_index("measure")
    near = errors_near_patterns.set_index("cluster").loc["any"]
    said = [
        cluster_scores["doubts"].fillna("").iloc[0],
        doubts(validation, settings.shown, settings.validation.level),
    ]
    row = {
        "generator": chosen["source"],
        "accuracy": classifier_scores["accuracy"].iloc[0],
        **{name: chosen[name] for name in _SUMMARISED_OF_GENERATOR},
        "silhouette": clusters["silhouette"],
        "davies_bouldin": clusters["davies_bouldin"],
        "stability": clusters["ari_resamples"],
        "structure_p": clusters["structure_p"],
        "prototypes": len(prototype_table),
        **{
            column: own[value].get(measure, np.nan)
            for column, measure, value in (
                ("coverage", "coverage_area", "value"),
                ("coverage_p", "coverage_area", "p_value"),
                ("found_again", "stability", "value"),
                ("found_again_p", "stability", "p_value"),
            )
        },
        "errors_near": near["share_of_errors"],
        "doubts": "; ".join(filter(None, said)),
        "note": cluster_scores["note"].fillna("").iloc[0],
    }
    return pd.DataFrame([row])


def summarise(grid: Grid, *summaries: pd.DataFrame) -> pd.DataFrame:
    """One row a model under test: what the run found.

    Args:
        grid: Names the models, in the order of their summaries.
        summaries: One row each.
    """
    table = pd.concat(summaries, ignore_index=True)
    table.insert(0, "model", list(grid.models))
    return table


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


def _among(rows: Tensor, every: Tensor) -> Tensor:
    """The places of rows in a list that holds each of them."""
    order = every.argsort()
    return order[torch.searchsorted(every[order], rows)]


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
