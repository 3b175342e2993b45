"""The validation: every selection and baseline by every measure, with intervals and p-values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from scipy.stats import false_discovery_control

from borderline.boundary import Boundary
from borderline.measures.confusion import is_borderline
from borderline.measures.intervals import Estimate, estimate
from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates, places_among
from borderline.pipelines.prototypes.choosing.chance import (
    blocks,
    draws_of_clusters,
    draws_of_images,
    draws_of_labels,
    estimate_of_draws,
    known_values,
    p_value,
    shuffled_labels,
)
from borderline.pipelines.prototypes.choosing.matching import stability, stability_of_draws
from borderline.pipelines.prototypes.choosing.measures import (
    RANGES,
    Audience,
    Chosen,
    coverage_curve,
    measure,
)
from borderline.pipelines.prototypes.choosing.names import (
    BETTER,
    MOST_AMBIGUOUS,
    NULLS,
    OVER_ALL,
    RANDOM_BORDERLINE,
    REAL_BORDERLINE,
    SELECTIONS,
    Selection,
)
from borderline.pipelines.prototypes.choosing.repetition import repeats_with_clusters
from borderline.pipelines.prototypes.choosing.selection import Way, most_ambiguous, way_of
from borderline.pipelines.prototypes.cluster_model import ClusterModel
from borderline.pipelines.prototypes.params import ValidationParams
from borderline.records import Places, RealView, Repeats, Selections

COLUMNS = (
    *("chosen_by", "measure", "better", "prototypes", "value", "low", "high"),
    *(f"{name}{end}" for end in NULLS for name in ("p_value", "q_value")),
    *NULLS.values(),
    *("q_worse", "note"),
)
_RADII = 60
_CURVES = 200


@dataclass(frozen=True)
class Evidence:
    """Everything that the validation compares.

    Attributes:
        audience: The images that the prototypes should represent.
        selections: The rows of the audience that each selection chose.
        repeats: The candidates of each repeat that gave clusters.
        attempts: The number of repeats, with and without clusters.
        real: The real borderline test images, for the baseline of Gomes et al. 2024.
        wanted: The number of images that each repeat should have.
    """

    audience: Audience
    selections: Mapping[Selection, np.ndarray]
    repeats: Sequence[Candidates]
    attempts: int
    real: Chosen
    wanted: int = 0

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        selections: Selections,
        places: Places,
        repeats: Repeats,
        real: Chosen,
        wanted: int,
        boundary: Boundary,
    ) -> Self:
        """The evidence from the records."""
        names = [name for name in SELECTIONS if name in selections]
        of_all = selections["candidates"]
        rows = {name: places_among(selections[name], of_all).numpy() for name in names}
        others = [of_repeat for _, _, of_repeat in repeats_with_clusters(repeats, boundary)]
        audience = Audience.of(candidates, places["umap"].numpy())
        return cls(audience, rows, others, len(repeats), real, wanted)

    def choices(self) -> dict[str, np.ndarray]:
        """The rows of each selection and of the most ambiguous images."""
        rows = {str(name): rows for name, rows in self.selections.items()}
        return {**rows, MOST_AMBIGUOUS: most_ambiguous(self.audience.candidates)}


def real_borderline(
    view: RealView, places: Places, model: ClusterModel, boundary: Boundary
) -> Chosen:
    """The real test images in the band, with the clusters that they join."""
    rows = is_borderline(view["test_p"], boundary).nonzero()[:, 0]
    embeddings = view["test_embeddings"][rows].double().numpy()
    labels = model.assign(embeddings)[0] if len(rows) else np.zeros(0, dtype=np.int64)
    return Chosen(embeddings, labels, places["test_umap"][rows].numpy(), None)


def without_measure(table: pd.DataFrame, measure: str, reason: str) -> pd.DataFrame:
    """The table of ``validate`` without the values of a measure that means nothing here."""
    table = table.copy()
    rows = table["measure"] == measure
    table.loc[rows, list(COLUMNS[4:-1])] = math.nan
    table.loc[rows, "note"] = reason
    return table


def validate(evidence: Evidence, settings: ValidationParams, run: RunParams) -> pd.DataFrame:
    """Measure every selection and every baseline.

    Three null hypotheses: the prototypes are as many random borderline images; for selections of
    one image a cluster, random members of each cluster; and for those, the choice of the same
    selection from shuffled clusters. The last one is the hardest for selections of central images,
    which cover much with any labels: only clusters that mean something beat it.

    Intervals of selections come from random halves of each cluster, in which the prototypes are
    chosen again (the delete-d jackknife of Shao and Wu 1989); where half of the images are more
    than ``settings.resample_images``, from smaller parts, which makes them too wide. Those of the
    stability are Student's over the repeats; those of random baselines hold 95 % of the draws.

    Returns:
        One row a selection and measure: for each of ``NULLS`` the p-value, the ``q_value``
        (corrected for the number of rows, Benjamini and Hochberg 1995) and the mean of the draws;
        ``q_worse``, the corrected p-value of being worse than random images; and a ``note`` where
        the value is missing or rests on less than planned. No rows without clusters.
    """
    audience, repeats = evidence.audience, evidence.repeats
    count = len(audience.candidates.clusters)
    if count == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    ways: dict[str, Way] = {name: way_of(name, run) for name in evidence.selections}
    ways[MOST_AMBIGUOUS] = most_ambiguous
    of_images = draws_of_images(audience, repeats, settings.draws, run)
    of_clusters = draws_of_clusters(audience, repeats, settings.draws, run)
    shuffles = shuffled_labels(audience, repeats, settings.label_draws, run)
    resamples = _resampled(audience, ways, settings, run)
    notes, rows = _notes(evidence), []
    for name, chosen_rows in evidence.choices().items():
        images = audience.chosen(chosen_rows)
        values = measure(images, audience)
        estimates = {
            key: _spread(key, float(value), resamples[name]) for key, value in values.items()
        }
        partners = [repeat.embeddings[ways[name](repeat)] for repeat in repeats]
        estimates["stability"] = stability(images.embeddings, partners)
        nulls = {"": of_images}
        if name not in (*OVER_ALL, MOST_AMBIGUOUS):
            if name != "random":
                nulls["_of_cluster"] = of_clusters
            nulls["_of_labels"] = draws_of_labels(audience, repeats, name, shuffles, run)
        rows += _rows(name, len(images.labels), estimates, nulls, notes)
    rows += _rows_of_real(evidence, settings, run)
    rows += _rows(RANDOM_BORDERLINE, count, _estimates(of_images), {}, notes)
    return _corrected(pd.DataFrame(rows, columns=list(COLUMNS)))


def coverage_curves(evidence: Evidence, run: RunParams) -> pd.DataFrame:
    """The coverage curve of each selection, and the band that 95 % of random choices lie in.

    Returns:
        By ``radius``: a column a selection, ``random_low`` and ``random_high``; without clusters,
        no rows.
    """
    audience, candidates = evidence.audience, evidence.audience.candidates
    radii, count = np.linspace(0, audience.radius, _RADII), len(candidates.clusters)
    if count == 0:
        return pd.DataFrame(columns=["radius"])
    random = np.random.default_rng(run.seed_for("random curves"))
    draws = [random.choice(len(candidates), count, replace=False) for _ in range(_CURVES)]
    of_draws = [coverage_curve(audience.chosen(rows), audience, radii) for rows in draws]
    low, high = np.quantile(np.stack(of_draws), [0.025, 0.975], axis=0)
    table = pd.DataFrame({"radius": radii})
    for name, rows in evidence.choices().items():
        table[name] = coverage_curve(audience.chosen(rows), audience, radii)
    return table.assign(random_low=low, random_high=high)


def _rows_of_real(
    evidence: Evidence, settings: ValidationParams, run: RunParams
) -> list[dict[str, object]]:
    """The paper's baseline: the mean over many draws of real borderline images.

    Each draw is matched with other real images, as many as each repeat has prototypes.
    """
    real, audience = evidence.real, evidence.audience
    count, total = len(audience.candidates.clusters), len(real.labels)
    partners = [len(repeat.clusters) for repeat in evidence.repeats]
    random = np.random.default_rng(run.seed_for("real images"))
    drawn: list[list[np.ndarray]] = []
    for _ in range(settings.draws if total >= count else 0):
        rows, left = np.split(random.permutation(total), [count])
        matched = len(left) >= max(partners, default=0)
        others = [random.choice(left, number, replace=False) for number in partners if matched]
        drawn.append([rows, *others])
    draws = pd.DataFrame()
    if drawn:
        draws = _draws_of_real(real, audience, [np.array(c) for c in zip(*drawn, strict=True)])
    few = f"the test set has only {total} borderline images"
    notes = _notes(evidence)
    if total < count:
        notes |= dict.fromkeys(BETTER, few)
    elif partners and total < count + max(partners):
        notes["stability"] = few
    return _rows(REAL_BORDERLINE, count, _estimates(draws), {}, notes)


def _draws_of_real(real: Chosen, audience: Audience, rows: Sequence[np.ndarray]) -> pd.DataFrame:
    """The measures of real images (draws, K), matched with others (draws, L) in each repeat."""
    tables = []
    for block in blocks(len(rows[0]), rows[0].shape[1] * len(audience.candidates)):
        drawn, *partners = (real.embeddings[column[block]] for column in rows)
        some = rows[0][block]
        values = measure(Chosen(drawn, real.labels[some], real.places[some], None), audience)
        values["stability"] = stability_of_draws(drawn, partners)
        tables.append(pd.DataFrame(values))
    return pd.concat(tables, ignore_index=True)


def _estimates(draws: pd.DataFrame) -> dict[str, Estimate]:
    return {name: estimate_of_draws(draws, name) for name in BETTER}


def _resampled(
    audience: Audience, ways: Mapping[str, Way], settings: ValidationParams, run: RunParams
) -> dict[str, pd.DataFrame]:
    """The measures of each selection in each random part of the images, by selection."""
    values: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in ways}
    share = min(0.5, settings.resample_images / len(audience.candidates))
    for number in range(settings.resamples):
        random = np.random.default_rng(run.seed_for("part of the images", number))
        part = audience.rows(_part_of_each(audience.candidates.labels, share, random))
        for name, way in ways.items():
            values[name].append(measure(part.chosen(way(part.candidates)), part))
    return {name: pd.DataFrame(rows) for name, rows in values.items()}


def _part_of_each(labels: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Rows of a random part of each cluster, and of the noise; at least one of each."""
    parts = []
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        parts.append(rows[: max(round(share * len(rows)), 1)])
    return np.sort(np.concatenate(parts))


def _spread(name: str, value: float, resamples: pd.DataFrame) -> Estimate:
    parts = known_values(resamples, name)
    if math.isnan(value) or len(parts) < 2:
        return Estimate(value, math.nan, math.nan)
    # A half varies around the whole as much as the whole does around the truth.
    return estimate(value, torch.from_numpy(parts)).within(*RANGES[name])


def _notes(evidence: Evidence) -> dict[str, str]:
    repeats, attempts = len(evidence.repeats), evidence.attempts
    small = sum(len(repeat) < evidence.wanted for repeat in evidence.repeats)
    notes = [f"only {repeats} of {attempts} repeats gave clusters"] * (repeats < attempts)
    notes += [f"{small} of {attempts} repeats gave fewer images"] * (small > 0)
    return {"stability": ", ".join(notes)}


def _rows(
    name: str,
    count: int,
    estimates: Mapping[str, Estimate],
    nulls: Mapping[str, pd.DataFrame],
    notes: Mapping[str, str],
) -> list[dict[str, object]]:
    rows = []
    for key, better in BETTER.items():
        value, note = estimates[key].value, notes.get(key, "")
        if math.isnan(value) and not note:
            note = "it needs at least two prototypes" if count < 2 else "it is undefined here"
        row: dict[str, object] = {
            **{"chosen_by": name, "measure": key, "better": better, "prototypes": count},
            **estimates[key]._asdict(),
            "note": note,
        }
        for end, draws in nulls.items():
            row[NULLS[end]] = estimate_of_draws(draws, key).value
            row[f"p_value{end}"] = p_value(draws, key, value)
        if "" in nulls:
            row["q_worse"] = p_value(nulls[""], key, value, worse=True)
        rows.append(row)
    return rows


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    columns = {f"p_value{end}": f"q_value{end}" for end in NULLS} | {"q_worse": "q_worse"}
    for source, target in columns.items():
        known = table[source].notna()
        if known.any():
            p_values = table.loc[known, source].to_numpy(dtype=float)
            table.loc[known, target] = false_discovery_control(p_values)
    return table
