"""The measurement of a generator's images part by part, in the memory of one part."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from borderline.grid import Judge
from borderline.measures.confusion import Confusion, is_borderline
from borderline.measures.inference import embed
from borderline.measures.realism import Moments, frechet_distance
from borderline.params import ConfusionParams
from borderline.pipelines.metrics.comparison import measure_name
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.metrics.references import reference_of
from borderline.pipelines.metrics.scores import confusion_columns, confusion_sums, histogram_table
from borderline.records import FeatureSamples, Parts, References


def measure_parts(
    parts: Parts,
    networks: Mapping[Judge, nn.Module],
    references: References,
    *,
    temperature: float,
    metrics: MetricsParams,
    confusion: ConfusionParams,
    device: torch.device,
) -> tuple[dict[str, float], pd.DataFrame, FeatureSamples]:
    """Measure all images of a generator.

    Args:
        parts: The images.
        networks: The networks of the judges.
        references: The real images as the judges see them.
        temperature: The model's temperature; NaN for none.
        metrics: Bins of the histogram and size of the samples.
        confusion: The band.
        device: The device to embed on.

    Returns:
        The scores, with the exact Fréchet distances of all images; the histogram of p; and the
        features of the first ``sample_size`` images, and of the first borderline ones.
    """
    sums: list[Confusion] = []
    moments: dict[str, Moments] = {}
    samples: dict[str, list[Tensor]] = {}
    for name in sorted(parts):
        part = parts[name]()
        rows = is_borderline(part["probabilities"], confusion.band)
        of_part = confusion_sums(part["probabilities"], temperature, metrics, confusion)
        sums = [a + b for a, b in zip(sums, of_part, strict=True)] if sums else of_part
        for judge, network in networks.items():
            features = embed(network, part["images"], device)
            for key, kept in (
                (f"{judge}.all", features),
                (f"{judge}.borderline", features[rows]),
            ):
                of_kept = Moments.of(kept)
                moments[key] = moments[key] + of_kept if key in moments else of_kept
                sample = samples.setdefault(key, [])
                missing = metrics.sample_size - sum(map(len, sample))
                sample.append(kept[: max(missing, 0)])
    scores = confusion_columns(sums) | {"temperature": temperature}
    for judge in networks:
        real = reference_of(references, judge).moments
        name = measure_name("fd", judge)
        scores[name] = frechet_distance(moments[f"{judge}.all"], real)
        scores[f"{name}_borderline"] = frechet_distance(moments[f"{judge}.borderline"], real)
    return scores, histogram_table(sums), {key: torch.cat(s) for key, s in samples.items()}
