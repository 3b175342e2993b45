"""The nodes of stage 6."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from sklearn.metrics.pairwise import cosine_distances
from torch import Tensor, nn

from borderline.datasets.tensors import Parts as StoredParts
from borderline.findings import Findings
from borderline.grid import Grid
from borderline.measures.confusion import confusion_distance, is_borderline
from borderline.measures.inference import predict
from borderline.pages.pictures import of_file, pictures
from borderline.pages.rendering import chart
from borderline.params import CallParams, ConfusionParams, RunParams
from borderline.pipelines.report import views
from borderline.pipelines.report.card import write_card
from borderline.pipelines.report.gathering import Tables, gather
from borderline.pipelines.report.page import Model, Origin, render
from borderline.pipelines.report.params import ReportParams
from borderline.pipelines.report.views import View
from borderline.records import LabelledImages


def gather_findings(
    pair_names: dict[str, str],
    classifier: nn.Module,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    confusion: ConfusionParams,
    *tables: pd.DataFrame,
) -> dict[str, Any]:
    """The findings about a model, as ``Findings`` has them.

    Args:
        pair_names: Of the source and its two classes.
        classifier: The model.
        pair_train: The real training images.
        pair_test: The real test images.
        confusion: The band.
        tables: The fields of ``Tables``.
    """
    found = gather(Tables(*tables), pair_names, classifier, pair_train, pair_test, confusion.band)
    return found.model_dump(mode="json")


def show_model(
    findings: dict[str, Any],
    classifier_scores: pd.DataFrame,
    classifier_figure: bytes,
    classifier: nn.Module,
    pair_test: LabelledImages,
    confusion: ConfusionParams,
    report: ReportParams,
    run: RunParams,
) -> View:
    """What the page shows of the model: its scores, its real borderline images, its errors."""
    found, scores = Findings.read(findings), classifier_scores.iloc[0]
    images, labels = pair_test["images"], pair_test["labels"]
    p = predict(classifier, images, run.torch_device())
    wrong = (p > 0.5).long() != labels
    unsure = confusion_distance(p).argsort(stable=True)
    rows = {
        "borderline": unsure[is_borderline(p, confusion.band)[unsure]],
        # The surest errors first: these are the ones that cost.
        "errors": unsure.flip(0)[wrong[unsure.flip(0)]],
    }
    classes = (found.negative, found.positive)
    view: View = {
        "matrix": {
            name: int(scores[name])
            for name in ("true_negative", "false_positive", "false_negative", "true_positive")
        },
        "figure": of_file(
            classifier_figure,
            f"Confusion matrix of {found.test_images} test images with {found.errors} errors; "
            f"calibration curve, off by {scores['ece']:.3f} on average; histogram of p, with "
            f"{scores['borderline_test_images']:.0f} images in the band.",
        ),
    }
    for name, own in rows.items():
        shown = own[: report.real_images]
        own_pictures = pictures(images[shown], p[shown], "Real test image, {p}")
        for picture, label in zip(own_pictures, labels[shown].tolist(), strict=True):
            picture["said"] = f"is {classes[label]}"
            picture["alt"] += f", {picture['said']}"
        view[name] = {"count": len(own), "pictures": own_pictures}
    return view


def show_generators(
    leaderboard: pd.DataFrame,
    leaderboard_figure: go.Figure,
    front_figure: go.Figure,
    curves_figure: go.Figure,
    histograms_figure: go.Figure,
    pair_train: LabelledImages,
    classifier: nn.Module,
    report: ReportParams,
    run: RunParams,
    *images: StoredParts,
) -> View:
    """What the page shows of the generators: their images, leaderboard, front, trainings.

    Args:
        images: Of every generator, in the order of the leaderboard.
    """
    strips = []
    for parts, (_, row) in zip(images, leaderboard.iterrows(), strict=False):
        part = parts[min(parts)]()
        shown, p = part["images"][: report.samples], part["probabilities"][: report.samples]
        strips.append(
            {
                "name": row["source"],
                "chosen": bool(row["chosen"]),
                "pictures": pictures(shown, p, f"Image {{number}} of {row['source']}, {{p}}"),
            }
        )
    real = pair_train["images"][: report.samples]
    p = predict(classifier, real, run.torch_device())
    own = pictures(real, p, "Real training image {number}, {p}")
    strips.append({"name": "real images", "chosen": False, "pictures": own})
    return {
        "strips": strips,
        "leaderboard": views.of_leaderboard(leaderboard),
        "charts": {
            "leaderboard": chart(leaderboard_figure),
            "front": chart(front_figure),
            "curves": chart(curves_figure),
            "histograms": chart(histograms_figure),
        },
    }


def show_patterns(
    findings: dict[str, Any],
    borderline: dict[str, Tensor],
    embeddings: dict[str, Tensor],
    clusters: dict[str, Tensor],
    prototypes: dict[str, Tensor],
    attributions: dict[str, Tensor],
    explanation_scores: pd.DataFrame,
    tipping: dict[str, Tensor],
    real_patterns: pd.DataFrame,
    matches: pd.DataFrame,
    repeats: StoredParts,
    map_page: go.Figure,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    report: ReportParams,
) -> View:
    """What the page shows of each pattern, and the map of all of them."""
    found = Findings.read(findings)
    if not found.patterns:
        return {"map": chart(map_page), "patterns": []}
    own = embeddings["embeddings"].numpy()
    near = cosine_distances(own[prototypes["rows"].numpy()], own)
    parts = {number: repeats[name] for number, name in enumerate(sorted(repeats))}
    loaded = {int(n): parts[int(n)]()["images"] for n in matches["repeat"].unique()}
    members, strips, neighbours, real, again = [], [], [], [], []
    # With one of each cluster, the largest come first.
    for pattern in found.patterns[: report.patterns]:
        number = pattern.prototype
        here = clusters["labels"].numpy() == pattern.cluster
        rows = np.flatnonzero(here & (pattern.cluster >= 0))
        rows = rows[near[number, rows].argsort(kind="stable")][: report.members]
        members.append((borderline["images"][rows], borderline["probabilities"][rows]))
        strips.append((tipping["walks"][number], tipping["walks_p"][number]))
        negative, positive = tipping["real_rows"][number]
        beside = torch.cat([negative.flip(0), positive])
        p = torch.cat([tipping["real_p"][number, 0].flip(0), tipping["real_p"][number, 1]])
        neighbours.append((pair_train["images"][beside], p))
        falls = real_patterns[
            (real_patterns["cluster"] == pattern.cluster) & (pattern.cluster >= 0)
        ].head(report.real_images)
        fallen = torch.tensor(falls["row"].to_numpy(), dtype=torch.long)
        real.append(
            (pair_test["images"][fallen], torch.tensor(falls["p"].to_numpy(), dtype=torch.float))
        )
        partners = matches[matches["prototype"] == number]
        images = [
            loaded[int(repeat)][int(row)]
            for repeat, row in zip(partners["repeat"], partners["row"], strict=True)
        ]
        empty = borderline["images"][:0]
        again.append((torch.stack(images) if images else empty, partners["similarity"].tolist()))
    maps = {method: attributions[method] for method in explanation_scores["method"]}
    shown = views.of_patterns(found, prototypes, maps, members, strips, neighbours, real, again)
    return {"map": chart(map_page), "patterns": shown}


def show_validation(
    findings: dict[str, Any],
    validation: pd.DataFrame,
    validation_figure: bytes,
    coverage_figure: go.Figure,
    faithfulness_figure: bytes,
    rejection_figure: bytes,
) -> View:
    """What the page shows of how far the patterns and their maps can be trusted."""
    found = Findings.read(findings)
    return {
        "table": views.of_validation(validation),
        "coverage": chart(coverage_figure),
        "figures": [
            of_file(content, alt)
            for content, alt in (
                (
                    validation_figure,
                    "Every way to choose prototypes by every measure with 95 % intervals, beside "
                    "the range of random choices; the figures are in the table.",
                ),
                (
                    faithfulness_figure,
                    "Mean p while pixels are deleted or inserted in the order of each kind of map, "
                    f"beside random maps. {' '.join(found.maps)}",
                ),
                (
                    rejection_figure,
                    "Risk-coverage curves of ways to abstain on real test images. "
                    f"{' '.join(found.abstaining)}",
                ),
            )
        ],
    }


def write_report(
    grid: Grid,
    call: CallParams,
    run: RunParams,
    installation: dict[str, Any],
    parameters: dict[str, Any],
    *parts: Any,
) -> str:
    """The page of the run.

    Args:
        grid: Names the models.
        call: How the run was called.
        run: Where it computed.
        installation: What it ran on.
        parameters: Every setting.
        parts: Of each model its findings and its four views, in the order of ``page.Model``.
    """
    size = len(parts) // len(grid.models)
    models = [
        Model(name, Findings.read(parts[size * i]), *parts[size * i + 1 : size * (i + 1)])
        for i, name in enumerate(grid.models)
    ]
    return render(models, Origin.of(call, run, installation, parameters))


def write_cards(
    grid: Grid,
    call: CallParams,
    run: RunParams,
    report: ReportParams,
    installation: dict[str, Any],
    parameters: dict[str, Any],
    *findings: dict[str, Any],
) -> list[str]:
    """A model card for each model.

    Args:
        grid: Names the models.
        call: How the run was called.
        run: Where it computed.
        report: Names the license, if any.
        installation: What the run ran on.
        parameters: Every setting.
        findings: About each model.
    """
    origin = Origin.of(call, run, installation, parameters)
    return [
        write_card(name, Findings.read(own), origin, report.license)
        for name, own in zip(grid.models, findings, strict=True)
    ]
