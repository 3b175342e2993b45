"""What a run found out about one model under test: what reports, cards, gates and comparisons say.

Saved as ``findings.json`` beside the model's pictures. A figure that could not be had is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from borderline.errors import BorderlineError
from borderline.measures.intervals import Estimate
from borderline.params import Params

NONE = "\u2013"
"""What is written for a figure that could not be had."""


class Described(NamedTuple):
    """What a figure is called, and how it is written.

    Attributes:
        title: Its name in words.
        form: A format for ``str.format``.
        says: What it measures.
    """

    title: str
    form: str
    says: str


FIGURES: Mapping[str, Described] = {
    "accuracy": Described("accuracy", "{:z.1%}", "of the real test images, those it gets right"),
    "ece": Described(
        "calibration error", "{:z.3f}", "by how much its probabilities are off, on average (ECE)"
    ),
    "borderline_test": Described(
        "borderline test images", "{:z.1%}", "of the real test images, those in the band around 0.5"
    ),
    "yield": Described("yield", "{:z.1%}", "of the chosen generator's images, the borderline ones"),
    "acd": Described(
        "ACD", "{:z.3f}", "average confusion distance of its images; 0 on the boundary, 0.5 far off"
    ),
    "hubris": Described(
        "hubris", "{:z.3f}", "how sure the model is of its images: 0 on the boundary, 1 wholly sure"
    ),
    "fd_lenet": Described(
        "fd_lenet", "{:z.1f}", "Fréchet distance to the real images in the judge's features"
    ),
    "patterns": Described("patterns", "{:z.0f}", "clusters of the borderline images"),
    "cluster_stability": Described(
        "stability of the clusters", "{:z.2f}", "adjusted Rand index of clusters found in resamples"
    ),
    "coverage": Described(
        "coverage of the prototypes", "{:z.2f}", "area under the share of images near a prototype"
    ),
    "found_again": Described(
        "prototypes found again", "{:z.2f}", "cosine similarity with those of other seeds"
    ),
    "near_patterns": Described(
        "test images near patterns", "{:z.1%}", "of the real test images, those near a cluster"
    ),
    "errors_near": Described(
        "errors near patterns", "{:z.1%}", "of the model's errors, those near a cluster"
    ),
}
"""Every figure of the findings, in the order in which they are shown."""


class Measured(Params):
    """A figure with its 95 % interval.

    Attributes:
        value: None where it could not be had.
        low: Lower end of the interval; None where there is none.
        high: Upper end, likewise.
        n: Of how many images it is, where that is known.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @classmethod
    def of(cls, estimate: Estimate, n: float | None = None) -> Measured:
        """The same figure, in which NaN is None."""
        value, low, high = (number_of(number) for number in estimate)
        return cls(value=value, low=low, high=high, n=None if n is None else int(n))

    def said(self, name: str) -> str:
        """The figure and its interval as the page writes them; a dash for none.

        Args:
            name: One of ``FIGURES``.
        """
        return " ".join(filter(None, self.parts(name)))

    def parts(self, name: str) -> tuple[str, str]:
        """The figure and its interval on their own; the interval is empty where there is none.

        Args:
            name: One of ``FIGURES``.
        """
        return in_parts(FIGURES[name].form, self.value, self.low, self.high)


class Pattern(Params):
    """A cluster of borderline images and its prototype.

    Attributes:
        prototype: Its number, from 0.
        cluster: The number of its cluster; -1 for none.
        images: Borderline images in the cluster; None for no cluster.
        share: Of all borderline images; None likewise.
        stability: How well resamples find the cluster again, a Jaccard index; None likewise.
        p: What the model says of the prototype.
        found_again: Mean cosine similarity with its partners in repeats; None for no partner.
        partners: In how many repeats it has one.
        repeats: How many repeats found clusters.
        real_borderline: Real borderline test images that fall into the cluster.
        near: Real test images near it.
        errors: Errors of the model among these.
        negative_found: Whether a confident negative was found on the way to it.
        positive_found: Whether a confident positive was.
        to_negative: How far it is to a confident negative, as a share of the way between two random
            latents; None where no such walk was found, or no latent space.
        to_positive: Likewise to a confident positive.
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


class Findings(Params):
    """All about one model under test.

    Attributes:
        source: The images.
        positive: The name of the class with label 1.
        negative: That with label 0.
        kind: What the model is.
        weights: How many of them it has.
        other_mass: The mean probability that it gives classes beside the pair, on the test images;
            None for a model that knows the pair alone.
        train_images: Real images that it was trained and validated on.
        test_images: Real images that it was tested on.
        errors: Of the model on these.
        errors_near_p: The p-value that they are no more frequent near the patterns than elsewhere
            (Fisher's exact test); None where there are no patterns.
        band: An image is borderline when ``|p - 0.5|`` is below it.
        temperature: By which its logits would have to be divided to be calibrated; None where none
            could be found.
        generator: The one that the patterns are of.
        rule: Why that one.
        made: How many borderline images it made.
        borderline_images: How many of them were clustered.
        noise: The share of these that is in no cluster; None where there are no clusters.
        recipe: How; empty where no clusters were found.
        figures: The figures of ``FIGURES``, by name.
        patterns: The prototypes in their order.
        shown: The way in which they were chosen.
        validation: Sentences on how these compare with chance.
        maps: Sentences on whether the maps are true.
        abstaining: Sentences on what abstaining near patterns would do.
        doubts: What speaks against the patterns.
        note: Why there are none; empty where there are.
    """

    source: str
    positive: str
    negative: str
    kind: str
    weights: int
    other_mass: float | None = None
    train_images: int
    test_images: int
    errors: int
    errors_near_p: float | None
    band: float
    temperature: float | None
    generator: str
    rule: str
    made: int
    borderline_images: int
    noise: float | None
    recipe: str
    figures: dict[str, Measured]
    patterns: tuple[Pattern, ...]
    shown: str
    validation: tuple[str, ...]
    maps: tuple[str, ...]
    abstaining: tuple[str, ...]
    doubts: tuple[str, ...]
    note: str

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Findings:
        """The findings that a run saved.

        Raises:
            BorderlineError: When they are of another version.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise BorderlineError(
                f"findings.json does not fit this version of Borderline ({where}): write it anew "
                "with `kedro run --pipelines report`."
            ) from error


def in_parts(
    form: str, value: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """A figure and its interval in words; None and NaN are figures that could not be had.

    Args:
        form: A format for ``str.format``.
        value: The figure.
        low: The lower end of its interval.
        high: The upper end.
    """
    value, low, high = number_of(value), number_of(low), number_of(high)
    if value is None:
        return NONE, ""
    interval = "" if low is None or high is None else f"[{form}, {form}]".format(low, high)
    return form.format(value), interval


def number_of(value: float | None) -> float | None:
    """A number that JSON has; None for NaN and the like."""
    return None if value is None or not math.isfinite(value) else float(value)
