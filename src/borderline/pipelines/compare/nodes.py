"""The nodes of the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import nn

    from borderline.committee import Committee
    from borderline.datasets.image_source import SourceImages
    from borderline.params import Pairing, PairParams, RunParams
    from borderline.pipelines.compare.params import CompareParams
    from borderline.records import Disagreements, HeldOut, References
    from borderline.sampling import Sampler
    from borderline.verdicts.params import VerdictsParams


def compare_models(*, pairing: Pairing, **sides: Any) -> tuple[DataFrame, dict[str, Any]]:
    """Compare the measures of both models, and their errors on the same real test images."""
    from borderline.pipelines.compare.sides import compare_errors, compare_measures, sides_of

    this, other = sides_of(pairing, sides)
    measures = compare_measures(this.findings, other.findings, same_judge=not pairing.elsewhere)
    return measures, compare_errors(this, other)


def carry_patterns_over(
    *, pairing: Pairing, compare: CompareParams, run: RunParams, **sides: Any
) -> DataFrame:
    """Decide which patterns of each model the other model shares, as in ``carry_over``."""
    from borderline.pipelines.compare.sides import sides_of
    from borderline.pipelines.compare.transfer import carry_both_over

    return carry_both_over(*sides_of(pairing, sides), compare.unsure, run.torch_device())


def find_disagreements(
    sampler: Sampler,
    other_sampler: Sampler | None = None,
    *,
    pairing: Pairing,
    compare: CompareParams,
    run: RunParams,
    **sides: Any,
) -> tuple[Disagreements, dict[str, Any]]:
    """Search for images on which the models disagree, in latents of this model's sampler.

    Where it has none, those of the other model's sampler are taken. The counts are those of
    ``disagreements.find``.
    """
    from borderline.pipelines.compare.disagreements import find
    from borderline.pipelines.compare.sides import sides_of

    decoders = [each.decoder for each in (sampler, other_sampler) if each is not None]
    decoder = next((decoder for decoder in decoders if decoder is not None), None)
    return find(*sides_of(pairing, sides), decoder, compare.disagreements, run)


def judge_disagreements(
    disagreements: Disagreements,
    committee: Committee,
    judge: nn.Module,
    source: SourceImages,
    held_out: HeldOut,
    real_reference: References,
    *,
    pairing: Pairing,
    verdicts: VerdictsParams,
    pair: PairParams,
    run: RunParams,
    **sides: Any,
) -> DataFrame:
    """Which model the committee of this run confirms on each disagreement, and its realism."""
    from borderline.datasets.image_source import training_images
    from borderline.pipelines.compare.disagreements import are_realistic, judged
    from borderline.pipelines.compare.sides import sides_of
    from borderline.verdicts.rule import judge_images

    train = training_images(source, pair, run)["images"]
    images, device = disagreements["images"], run.torch_device()
    seen = committee, judge, train, held_out
    _, table = judge_images(images, *seen, verdicts, device)
    this, other = sides_of(pairing, sides)
    realistic = are_realistic(images, judge, real_reference, device)
    return judged(disagreements, table, realistic, this, other)


def write_comparison(
    compared_measures_table: DataFrame,
    compared_errors: dict[str, Any],
    compared_patterns_table: DataFrame,
    disagreements: Disagreements,
    disagreement_search: dict[str, Any],
    disagreements_table: DataFrame,
    *,
    pairing: Pairing,
    compare: CompareParams,
    run: RunParams,
    **sides: Any,
) -> str:
    """Write the page of both models."""
    from borderline.pipelines.compare.page import render, section, section_of_disagreements
    from borderline.pipelines.compare.sides import sides_of

    this, other = sides_of(pairing, sides)
    shown = compared_patterns_table, compare.members, run.torch_device()
    sections = [
        section(side, opposite, *shown, same_run=not pairing.elsewhere)
        for side, opposite in ((this, other), (other, this))
    ]
    apart = section_of_disagreements(
        this, other, disagreements, disagreement_search, disagreements_table, compare.shown
    )
    findings = {side.name: side.findings for side in (this, other)}
    measures, errors = compared_measures_table, compared_errors
    return render(findings, sections, apart, measures, errors, compare.unsure)
