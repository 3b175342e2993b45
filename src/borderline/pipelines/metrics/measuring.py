"""The measurement of a generator's images part by part, in the memory of one part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from borderline.boundary import Boundary, calibrated_boundary, fault_of_band, largest_distance
from borderline.grid import Judge
from borderline.measures.confusion import Confusion, at_temperature, is_borderline
from borderline.measures.inference import embed
from borderline.measures.intervals import Estimate, deletions, estimate_of_deletions, members
from borderline.measures.realism import Moments, Reference, frechet_distance
from borderline.measures.variation import mean_variation, total_variation
from borderline.pipelines.metrics.comparison import measure_name
from borderline.pipelines.metrics.params import MetricsParams
from borderline.records import FeatureSamples, LabelledImages, Parts, RealView, References


def measure_parts(
    parts: Parts,
    networks: Mapping[Judge, nn.Module],
    references: References,
    *,
    temperature: float,
    metrics: MetricsParams,
    boundary: Boundary,
    device: torch.device,
) -> tuple[dict[str, float], pd.DataFrame, FeatureSamples]:
    """Measure all images of a generator; ``temperature`` is the model's, NaN for none.

    Returns:
        The scores, with the mean total variation and the exact Fréchet distances of all images; the
        histogram of p; and the features of the first ``sample_size`` images, and of the first
        borderline ones.
    """
    sums: list[Confusion] = []
    real = {judge: Reference.of_record(references, judge).moments for judge in networks}
    moments: dict[str, Moments] = {}
    samples: dict[str, list[Tensor]] = {}
    variations: list[tuple[Tensor, Tensor]] = []
    for name in sorted(parts):
        part = parts[name]()
        rows = is_borderline(part["probabilities"], boundary)
        of_part = confusion_sums(part["probabilities"], temperature, metrics, boundary)
        sums = [a + b for a, b in zip(sums, of_part, strict=True)] if sums else of_part
        variations.append((total_variation(part["images"]), rows))
        for judge, network in networks.items():
            features = embed(network, part["images"], device)
            for key, kept in ((f"{judge}.all", features), (f"{judge}.borderline", features[rows])):
                if real[judge].has_distance:
                    of_kept = Moments.of(kept)
                    moments[key] = moments[key] + of_kept if key in moments else of_kept
                sample = samples.setdefault(key, [])
                missing = metrics.sample_size - sum(map(len, sample))
                # A view, even an empty one, would keep all features of the part in memory.
                sample.append(kept[: max(missing, 0)].clone())
    scores = confusion_columns(sums, temperature, boundary) | {"temperature": temperature}
    variation, near = (torch.cat(tensors) for tensors in zip(*variations, strict=True))
    scores |= _columns("total_variation", mean_variation(variation))
    scores |= _columns("total_variation_borderline", mean_variation(variation[near]))
    scores["total_variation_borderline_n"] = int(near.sum())
    for judge in networks:
        name = measure_name("fd", judge)
        for column, images in ((name, "all"), (f"{name}_borderline", "borderline")):
            of_images = moments.get(f"{judge}.{images}")
            if of_images is None:
                scores[column] = math.nan
            else:
                scores[column] = frechet_distance(of_images, real[judge])
    return scores, histogram_table(sums), {key: torch.cat(s) for key, s in samples.items()}


def confusion_sums(
    p: Tensor, temperature: float, metrics: MetricsParams, boundary: Boundary
) -> list[Confusion]:
    """The sums over p (N,), and over calibrated p unless the temperature is NaN."""
    sums = [Confusion.of(p, boundary, metrics.histogram_bins)]
    if not math.isnan(temperature):
        calibrated = at_temperature(p, temperature), calibrated_boundary(boundary, temperature)
        sums.append(Confusion.of(*calibrated, metrics.histogram_bins))
    return sums


def confusion_columns(
    sums: Sequence[Confusion], temperature: float, boundary: Boundary
) -> dict[str, float]:
    """Scores with the ends of their intervals, by column of the leaderboard.

    The calibrated yield is NaN where the band around the calibrated threshold reaches 0 or 1.
    """
    raw, *calibrated = sums
    scores = raw.estimates(boundary)
    after = dict.fromkeys(scores, Estimate.none())
    if calibrated:
        boundary = calibrated_boundary(boundary, temperature)
        after = calibrated[0].estimates(boundary)
        if fault_of_band(boundary["band"], boundary["threshold"], boundary["scale"]):
            after["yield"] = Estimate.none()
    scores |= {f"{name}_calibrated": estimate for name, estimate in after.items()}
    columns: dict[str, float] = {"images": raw.images, "borderline": raw.borderline}
    for name, estimate in scores.items():
        columns |= _columns(name, estimate)
    return columns


def floor_columns(
    view: RealView,
    train: LabelledImages,
    test: LabelledImages,
    temperature: float,
    metrics: MetricsParams,
    boundary: Boundary,
) -> dict[str, float]:
    """The columns of the real test images; their intervals are by group where they have groups.

    These are of the jackknife that leaves out whole groups, and at least as wide as those of
    independent images. The total variation of borderline images is that of training and test images
    together.
    """

    def columns_of(p: Tensor) -> dict[str, float]:
        sums = confusion_sums(p, temperature, metrics, boundary)
        return confusion_columns(sums, temperature, boundary)

    variation = _real_variation(view, train, test, boundary)
    columns, member = columns_of(view["test_p"]), members(view.get("test_groups"))
    if member is None:
        return columns | variation
    parts = [columns_of(view["test_p"][rows]) for rows in deletions(torch.from_numpy(member))]
    for name in [name for name in columns if f"{name}_low" in columns]:
        most = largest_distance(boundary) if name.startswith("acd") else 1
        replicates = torch.tensor([part[name] for part in parts], dtype=torch.float64)
        _, *ends = estimate_of_deletions(columns[name], replicates).within(0, most)
        for end, outermost, value in zip(
            ("low", "high"), (np.minimum, np.maximum), ends, strict=True
        ):
            columns[f"{name}_{end}"] = float(outermost(columns[f"{name}_{end}"], value))
    return columns | variation


def _real_variation(
    view: RealView, train: LabelledImages, test: LabelledImages, boundary: Boundary
) -> dict[str, float]:
    of_test = total_variation(test["images"])
    in_train, in_test = (is_borderline(view[p], boundary) for p in ("train_p", "test_p"))
    borderline = torch.cat([total_variation(train["images"][in_train]), of_test[in_test]])
    groups = None
    if "groups" in train and "test_groups" in view:
        groups = torch.cat([train["groups"][in_train], view["test_groups"][in_test]])
    return {
        **_columns("total_variation", mean_variation(of_test, view.get("test_groups"))),
        **_columns("total_variation_borderline", mean_variation(borderline, groups)),
        "total_variation_borderline_n": len(borderline),
    }


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def histogram_table(sums: Sequence[Confusion]) -> pd.DataFrame:
    """The histogram of p: edges ``from`` and ``to``, ``images``, and ``calibrated`` images."""
    raw, *calibrated = sums
    edges = torch.linspace(0, 1, len(raw.histogram) + 1, dtype=torch.float64).numpy()
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "images": raw.histogram.numpy(),
            "calibrated": calibrated[0].histogram.numpy() if calibrated else math.nan,
        }
    )


def describe(judge: str, train: Tensor, test: Tensor, neighbours: int) -> References:
    """The reference of a judge from its features of real training (N, D) and test images (M, D)."""
    return Reference.of(train, neighbours).record(judge) | {f"{judge}.test_features": test}
