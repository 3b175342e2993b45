"""Sentences for the users of a model: a summary, and the limits of the model and of the method."""

from __future__ import annotations

from borderline.boundary import formula_of_band
from borderline.findings import Findings, Measured, written

# Fewer real borderline images are too few for a comparison.
_FEWEST_REAL = 20
_OVERCONFIDENT, _UNDERCONFIDENT = 1.1, 0.9
_LEVEL = 0.05
_OF_A_CLASS = ("sensitivity", "specificity")


def in_short(model: str, findings: Findings) -> str:
    """A summary of the findings about a model in a few sentences."""
    text = (
        f"{model} classifies {findings.measures['accuracy'].text('accuracy')} of "
        f"{findings.test_images:,} real test images correctly"
        f"{_at_threshold(findings)}; "
        f"{_counted(_hits(findings.measures['borderline_test']), 'lies', 'lie')} in its borderline "
        "band. "
    )
    if not findings.patterns:
        return f"{text}It has no patterns: {findings.note}."
    blends = f", which are {findings.baseline}" if findings.baseline else ""
    largest = max(findings.patterns, key=lambda pattern: pattern.images or 0)
    if findings.continuum:
        return (
            f"{text}The generator {findings.generator} produced {findings.made:,} borderline "
            f"images{blends}. They form a continuum, not separate patterns: {findings.continuum}. "
            f"{_counted(len(findings.patterns), 'exemplar represents', 'exemplars represent')} it; "
            f"the largest group around one of them has {written('{:.0%}', largest.share or 0)} of "
            "the images."
        )
    clustered_all = findings.borderline_images >= findings.made
    text += (
        f"The generator {findings.generator} produced {findings.made:,} borderline images{blends}. "
        f"{'They' if clustered_all else f'{findings.borderline_images:,} of them'} form "
        f"{_counted(len(findings.patterns), 'pattern', 'patterns')}"
    )
    if largest.share is not None:
        text += f"; the largest holds {written('{:.0%}', largest.share)}"
    if findings.noise:
        text += f"; {written('{:.0%}', findings.noise)} belong to no pattern"
    if findings.doubts:
        return f"{text}. See Validation for the evidence against these patterns."
    text += ". The tests of stability, structure and chance found no evidence against them."
    if "not found again" in findings.reproducibility:
        text += " They are not found again everywhere: see Reproducibility."
    return text


def repaired_first(model: str, findings: Findings) -> str:
    """The steps before the run that made a repaired model."""
    base = findings.repaired_from
    return (
        f"{model} is the kept model of a repair of {base}. So first repeat the run of {base} and "
        "its repair, with the settings of that repair: `kedro run --pipelines repair`."
    )


def limits_of_model(findings: Findings) -> list[str]:
    """The limits of the model, a sentence or two each."""
    measures = findings.measures
    ece, near, errors = (measures[name] for name in ("ece", "near_patterns", "errors_near"))
    limits = [
        f"The model makes {_counted(findings.errors, 'error', 'errors')} on "
        f"{findings.test_images:,} real test images (accuracy "
        f"{measures['accuracy'].text('accuracy')}, 95 % interval). Images that are too rare to "
        "appear in this test set are not covered.",
        *findings.leaks,
    ]
    if findings.test_groups is not None:
        limits.append(
            f"The test images belong to {_counted(findings.test_groups, 'group', 'groups')}. The "
            "intervals and tests on them are by group."
        )
    if ece.value is not None:
        limits.append(
            f"Its predicted probabilities differ from the observed frequencies by {ece.value:.3f} "
            f"on average (expected calibration error). {_confidence(findings.temperature)}"
        )
    limits.append(
        f"{measures['borderline_test'].text('borderline_test')} of the real test images are "
        f"borderline ({formula_of_band(findings.boundary)}). A small change of such an image "
        "changes its predicted class."
    )
    if near.value is not None and errors.value is not None:
        limits.append(
            f"{errors.text('errors_near')} of its errors and {near.text('near_patterns')} of all "
            f"test images lie near the {findings.unit}s. "
            f"{_frequency(findings.errors_near_p, findings.test_groups)}"
        )
    worst = max(findings.patterns, key=lambda pattern: pattern.errors, default=None)
    if worst is not None and worst.errors > 0:
        limits.append(
            f"{findings.unit.capitalize()} {worst.prototype} has the most errors near it: "
            f"{_counted(worst.errors, 'error', 'errors')} in "
            f"{_counted(worst.near, 'test image', 'test images')}."
        )
    return [*limits, *findings.abstaining]


def limits_of_method(findings: Findings) -> list[str]:
    """The limits of the method that finds the patterns, a sentence or two each."""
    limits = [
        f"The {findings.unit}s consist of {findings.baseline or 'generated images'}. They show "
        "where the model is unsure, not how often such images occur: only real images show that.",
        f"The {findings.unit}s consist of images of one generator, {findings.generator} "
        f"(chosen by: {findings.rule}). Another generator may lead to other {findings.unit}s. "
        "Patterns that no generator produces remain unknown.",
        f"Images that are neither {findings.positive} nor {findings.negative} are not covered. The "
        "model assigns one of the two classes to them too.",
        "The intervals cover the random choice of the images. They do not cover another training "
        "of the model or of the generator.",
    ]
    real = _hits(findings.measures["borderline_test"])
    if real < _FEWEST_REAL:
        images = _counted(real, "real test image is", "real test images are")
        limits.append(f"Only {images} borderline: too few for a comparison with generated images.")
    return [
        *limits,
        *(f"Evidence against the {findings.unit}s: {doubt}." for doubt in findings.doubts),
    ]


def _confidence(temperature: float | None) -> str:
    if temperature is None:
        return "No temperature calibrates the model."
    if temperature > _OVERCONFIDENT:
        return f"The model is overconfident (temperature {temperature:.2f})."
    if temperature < _UNDERCONFIDENT:
        return f"The model is underconfident (temperature {temperature:.2f})."
    return f"The confidence of the model is about right (temperature {temperature:.2f})."


def _at_threshold(findings: Findings) -> str:
    if findings.threshold == 0.5:
        return ""
    both = (f"{name} {findings.measures[name].text(name)}" for name in _OF_A_CLASS)
    return f" with a decision threshold of {findings.threshold:.3g} ({', '.join(both)})"


def _frequency(p: float | None, groups: int | None) -> str:
    if p is None:
        return "Whether errors are more frequent there than elsewhere cannot be tested."
    name = "p-value of Fisher's exact test"
    if groups is not None:
        name = "the larger p-value of Fisher's exact test and of the score test by group"
    if p <= _LEVEL:
        return (
            f"Errors are more frequent there than elsewhere ({name}: {p:.3f}): check such images "
            "twice."
        )
    return f"Errors are not significantly more frequent there than elsewhere ({name}: {p:.3f})."


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _hits(share: Measured) -> int:
    return round((share.value or 0) * (share.n or 0))
