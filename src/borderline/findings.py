"""The findings about one model under test, which report, model card, gate and comparison read.

Saved as ``findings.json`` in the model's folder. A measure that is not available is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from borderline.boundary import Boundary
from borderline.errors import BorderlineError
from borderline.measures.descriptions import MEASURES as MEASURES
from borderline.measures.descriptions import MIXED as MIXED
from borderline.measures.descriptions import VALIDATION_MEASURES as VALIDATION_MEASURES
from borderline.measures.descriptions import VERDICTS as VERDICTS
from borderline.measures.descriptions import Described as Described
from borderline.params import Params

if TYPE_CHECKING:
    from borderline.measures.intervals import Estimate
    from borderline.records import Clusters, Part, Prototypes

Saved = TypeVar("Saved", bound=Params)

NONE = "\u2013"
"""The text of a measure that is not available."""

NOT_RATED = "Not rated by people."

LOGIT = "a logit; its sigmoid is p, the probability of {positive}"
"""The outputs of the models that are trained here, in words."""


class Measured(Params):
    """A measure with its 95 % interval, each None where not available, from ``n`` images."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @classmethod
    def of(cls, estimate: Estimate, n: float | None = None) -> Measured:
        """The same measure with None in place of NaN."""
        value, low, high = (number_of(number) for number in estimate)
        return cls(value=value, low=low, high=high, n=None if n is None else int(n))

    def text(self, name: str) -> str:
        """Value and interval as pages write them; a dash where the value is None."""
        return " ".join(filter(None, self.texts(name)))

    def texts(self, name: str) -> tuple[str, str]:
        """Value and interval as two texts; the second is empty where there is no interval."""
        return with_interval(MEASURES[name].form, self.value, self.low, self.high)


class Pattern(Params):
    """A cluster of borderline images and its prototype.

    Attributes:
        cluster: Its number; -1 for none, where images, share and stability are None.
        share: Share of all clustered borderline images in [0, 1].
        stability: Mean Jaccard index between the cluster and those of resamples.
        p: The model's probability of the positive class for the prototype.
        found_again: Mean cosine similarity to its partners in repeats; None for no partner.
        repeats: Number of repeats that have clusters.
        near: Real test images near the cluster.
        errors: Errors of the model among these.
        verdict: The verdict that prevails among its images, one of ``VERDICTS``, or ``mixed``;
            that on its only image where it has no cluster. See docs/verdicts.md.
        verdict_share: Share of its images with that verdict; None where ``mixed``.
        verdict_low: The low end of its 95 % interval; ``verdict_high`` is the high one.
        verdict_shares: The shares of all verdicts among its images.
        to_negative: Length of the walk to a confident negative, relative to the distance between
            two random latents; None where no walk or no latent space exists.
        words: The properties in which its images differ from the model's confident images.
    """

    prototype: int
    cluster: int
    images: int | None = None
    share: float | None = None
    stability: float | None = None
    p: float
    found_again: float | None = None
    partners: int = 0
    repeats: int = 0
    real_borderline: int = 0
    near: int = 0
    errors: int = 0
    negative_found: bool = False
    positive_found: bool = False
    to_negative: float | None = None
    to_positive: float | None = None
    verdict: str | None = None
    verdict_share: float | None = None
    verdict_low: float | None = None
    verdict_high: float | None = None
    verdict_shares: dict[str, float] = Field(default_factory=dict)
    words: str = ""


class PatternRating(Params):
    """The answers of people to the rated images of a pattern.

    Attributes:
        shares: Share of each answer, ``positive``, ``negative``, ``neither`` and ``cannot_tell``.
        verdict: The answer with more than half of the answers, by its whole interval; else open.
        says: The same in words.
    """

    images: int
    answers: int
    shares: dict[str, Measured]
    verdict: str
    says: str


class Rating(Params):
    """The answers of people to a model's images, from ``kedro run --pipelines rating``.

    Attributes:
        made_for: The fingerprint of the rated patterns, ``digest_of_patterns``.
        raters: Number of raters whose answers count.
        left_out: Number of raters whose answers do not.
        alpha: Agreement between raters on the borderline images, Krippendorff's alpha.
        kappa: Agreement of the raters' majority with the committee of judges, Cohen's kappa.
        says: The same in words.
        patterns: By the number of the prototype; only patterns with answers.
    """

    made_for: str
    raters: int
    left_out: int
    alpha: Measured
    kappa: Measured
    says: tuple[str, ...]
    patterns: dict[int, PatternRating]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Rating:
        """The rating of a finished run.

        Raises:
            BorderlineError: When another version of Borderline saved it.
        """
        return _read(cls, values, "human_verdicts.json", "rating")


class RepairedArm(Params):
    """The outcome of an arm of a repair, or of the model as it is.

    Attributes:
        title: The arm in words.
        error: Mean error on the test images over the seeds, with Student's 95 % interval.
        to_again: Difference of the error to training again without added images, paired by seed.
        to_again_p: Its corrected p-value.
        to_random: The same for random generated images.
        fresh: Mean balanced accuracy on newly generated images that the committee is sure of.
    """

    name: str
    title: str
    error: Measured
    to_again: Measured
    to_again_p: float | None
    to_random: Measured
    to_random_p: float | None
    fresh: Measured


class Repair(Params):
    """The outcome of a repair, from ``kedro run --pipelines repair``.

    Attributes:
        made_for: The fingerprint of the patterns, ``digest_of_patterns``.
        says: The outcome in words; the first sentence is the conclusion.
        kept: The arm whose model is kept.
        seeds: The number of trainings of each arm.
        arms: The model as it is, and each arm.
    """

    made_for: str
    says: tuple[str, ...]
    kept: str
    seeds: int
    test_images: int
    fresh_images: int
    arms: tuple[RepairedArm, ...]

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Repair:
        """The repair of a finished run.

        Raises:
            BorderlineError: When another version of Borderline saved it.
        """
        return _read(cls, values, "repair.json", "repair")


def digest_of_patterns(borderline: Part, clusters: Clusters, prototypes: Prototypes) -> str:
    """A fingerprint of the borderline images with their clusters and prototypes."""
    from borderline.datasets.tensors import digest

    return digest(borderline["images"], clusters["labels"], prototypes["rows"])


class Findings(Params):
    """All findings about one model under test.

    Attributes:
        trained_elsewhere: Whether the model was imported.
        repaired_from: The name of the model whose repaired version it is; empty for none.
        other_mass: Mean probability of classes beside the pair, on the test images; None for a
            model of two classes.
        test_groups: Number of groups of the test images, by which intervals and tests on them are
            made; None for images without groups.
        leaks: Sentences on groups and images that training and test share.
        errors: Errors of the model on the test images.
        errors_near_p: p-value of the test that errors are no more frequent near the patterns than
            elsewhere, Fisher's exact one or that by group; None where there are no patterns.
        weights: The number of weights of the model; None where it is unknown.
        outputs: The outputs of the model, in words; ``{positive}`` is the positive class.
        threshold: The decision threshold t; an image is positive when p is above it.
        threshold_rule: The choice of the threshold, in words; empty if a user set it.
        band: The largest confusion distance of a borderline image.
        scale: The scale of confusion distances; see ``Boundary``.
        temperature: Divisor of the logits that calibrates the model; None where none does.
        rule: The rule that chose the generator.
        baseline: What its images are, if it is a baseline; else empty.
        made: Number of borderline images that it produced.
        borderline_images: Number of them that were clustered.
        noise: Share of these that belong to no cluster; None where there are no clusters.
        recipe: The recipe of the clustering; empty where there are no clusters.
        found_by_chance: Mean similarity of as many random borderline images to their partners in
            repeats; None where unknown.
        artefacts: The images that are an artefact of one generator or GAN, and therefore no
            pattern; empty for none.
        reproducibility: Where the patterns are found again, in words; empty where there are none.
        continuum: Why the images form a continuum, whose exemplars the patterns are; else empty.
        judges: Members of the committee that have an opinion on classes.
        measures: The measures of ``MEASURES``, by name.
        real_verdicts: The shares of the verdicts among the real test images in the band, by name;
            empty in findings of earlier versions.
        shown: The selection that chose the prototypes.
        validation: Sentences that compare the prototypes with chance.
        attributions: Sentences on the faithfulness of the attributions.
        abstaining: Sentences on the effect of abstaining near patterns.
        doubts: The evidence against the patterns, with that against the clusters.
        note: The reason why there are no patterns; empty where there are some.
        rating: The answers of people to the images; None where nobody was asked.
        rating_note: The reason why there is no rating; empty where there is one.
        repair: The outcome of a repair of the model; None where there is none.
        repair_note: The reason why a repair is not shown; empty where it is, or there is none.
        quick: Whether the run was a quick look with reduced settings.
    """

    source: str
    positive: str
    negative: str
    kind: str
    weights: int | None
    outputs: str = LOGIT
    trained_elsewhere: bool = False
    repaired_from: str = ""
    other_mass: float | None = None
    train_images: int
    test_images: int
    test_groups: int | None = None
    leaks: tuple[str, ...] = ()
    errors: int
    errors_near_p: float | None
    threshold: float = 0.5
    threshold_rule: str = ""
    band: float
    scale: Literal["probability", "logit"] = "probability"
    temperature: float | None
    generator: str
    rule: str
    baseline: str = ""
    made: int
    borderline_images: int
    noise: float | None
    recipe: str
    continuum: str = ""
    artefacts: str = ""
    reproducibility: str = ""
    found_by_chance: float | None = None
    judges: int
    measures: dict[str, Measured]
    real_verdicts: dict[str, Measured] = Field(default_factory=dict)
    patterns: tuple[Pattern, ...]
    shown: str
    validation: tuple[str, ...]
    attributions: tuple[str, ...]
    abstaining: tuple[str, ...]
    doubts: tuple[str, ...]
    cluster_doubts: tuple[str, ...]
    note: str
    rating: Rating | None = None
    rating_note: str = NOT_RATED
    repair: Repair | None = None
    repair_note: str = ""
    quick: bool = False

    @field_validator("measures")
    @classmethod
    def _has_newer_measures(cls, measures: dict[str, Measured]) -> dict[str, Measured]:
        # Findings of earlier versions lack these.
        filled = dict.fromkeys(("sensitivity", "specificity"), Measured()) | measures
        return {name: filled[name] for name in MEASURES if name in filled} | measures

    @property
    def boundary(self) -> Boundary:
        """The decision boundary of the model."""
        return {
            "threshold": self.threshold,
            "band": self.band,
            "scale": self.scale,
            "rule": self.threshold_rule,
        }

    @property
    def said_weights(self) -> str:
        """The number of weights, in words."""
        return "unknown number of weights" if self.weights is None else f"{self.weights:,} weights"

    @property
    def unit(self) -> str:
        """The word for one of the ``patterns``: ``pattern``, or ``exemplar`` of a continuum."""
        return "exemplar" if self.continuum else "pattern"

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Findings:
        """The findings of a finished run.

        Raises:
            BorderlineError: When another version of Borderline saved them.
        """
        return _read(cls, values, "findings.json", "report")

    def people(self, prototype: int) -> str:
        """The answers of people to the images of a pattern, in words."""
        if self.rating is None:
            return self.rating_note
        rated = self.rating.patterns.get(prototype)
        return NOT_RATED if rated is None else rated.says


def _read(cls: type[Saved], values: Mapping[str, Any], file: str, pipeline: str) -> Saved:
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        where = ".".join(str(key) for key in error.errors()[0]["loc"])
        raise BorderlineError(
            f"{file} does not fit this version of Borderline ({where}): write it again "
            f"with `kedro run --pipelines {pipeline}`."
        ) from error


def with_interval(
    form: str, value: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """A value and its interval in a format as texts; None and NaN mean not available."""
    value, low, high = number_of(value), number_of(low), number_of(high)
    if value is None:
        return NONE, ""
    if low is None or high is None:
        return written(form, value), ""
    return written(form, value), f"[{written(form, low)}, {written(form, high)}]"


def written(form: str, value: float) -> str:
    """A number in a format as pages write it: percentages have a space before the sign.

    Example:
        >>> written("{:.1%}", 0.985)
        '98.5 %'
    """
    return form.format(value).replace("%", " %")


def number_of(value: float | None) -> float | None:
    """A finite number for JSON; None for None, NaN and infinities."""
    return None if value is None or not math.isfinite(value) else float(value)
