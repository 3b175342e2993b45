"""What the users of a model should know of it, and of how that was found out."""

from __future__ import annotations

from borderline.findings import Findings, Measured

# With fewer real borderline images there is no telling what they are like.
_FEWEST_REAL = 20
_SURE, _UNSURE = 1.1, 0.9
_LEVEL = 0.05


def in_short(model: str, found: Findings) -> str:
    """Two or three sentences for who reads nothing else.

    Args:
        model: Its name.
        found: The findings about it.
    """
    said = (
        f"{model} gets {found.figures['accuracy'].said('accuracy')} of {found.test_images:,} real "
        f"test images right, and is unsure of {_count(found, 'borderline_test')} of them. "
    )
    if not found.patterns:
        return f"{said}No patterns were found: {found.note}."
    largest = max(found.patterns, key=lambda pattern: pattern.images or 0)
    said += f"The generator {found.generator} made {found.made:,} images that it is unsure of. "
    said += (
        "They" if found.borderline_images >= found.made else f"{found.borderline_images:,} of them"
    )
    said += f" fall into {_counted(len(found.patterns), 'pattern')}"
    if largest.share is not None:
        said += f", the largest with {largest.share:.0%} of them"
    if found.noise:
        said += f"; {found.noise:.0%} fall into none"
    if found.doubts:
        return f"{said}. What speaks against these patterns is said with them."
    return f"{said}. Nothing in the validation speaks against these patterns."


def limits_of_model(found: Findings) -> list[str]:
    """What its users should know of the model.

    Args:
        found: The findings about it.
    """
    accuracy, ece = found.figures["accuracy"], found.figures["ece"]
    said = [
        f"It makes {_counted(found.errors, 'error')} on {found.test_images:,} real test images "
        f"(accuracy {accuracy.said('accuracy')}, 95 % interval): what is rarer than these images "
        "can show is not in that figure."
    ]
    if ece.value is not None:
        said.append(
            f"Its probabilities are off by {ece.value:.3f} on average (expected calibration "
            f"error). {_say_of_temperature(found.temperature)}"
        )
    borderline = found.figures["borderline_test"]
    said.append(
        f"Of {borderline.said('borderline_test')} of real test images it cannot say which class "
        f"they are (|p - 0.5| < {found.band:g}): there, its answer is a guess."
    )
    near, errors = found.figures["near_patterns"], found.figures["errors_near"]
    if near.value is not None and errors.value is not None:
        p = found.errors_near_p
        more = p is not None and p <= _LEVEL
        said.append(
            f"{errors.said('errors_near')} of its errors lie near the patterns, and "
            f"{near.said('near_patterns')} of all test images. "
            + (
                f"So errors gather there (Fisher's p = {p:.3f}): look at such images twice."
                if more
                else "So errors are not surely more frequent there than elsewhere."
            )
        )
    worst = max(found.patterns, key=lambda pattern: pattern.errors, default=None)
    if worst is not None and worst.errors > 0:
        said.append(
            f"Pattern {worst.prototype} has most of them near it: "
            f"{_counted(worst.errors, 'error')} in {_counted(worst.near, 'test image')}."
        )
    return [*said, *found.abstaining]


def limits_of_method(found: Findings) -> list[str]:
    """What its users should know of how the patterns were found.

    Args:
        found: The findings about the model.
    """
    said = [
        "The patterns are of generated images. They show what the model is unsure of, not how "
        "often such images come: only real images can tell that.",
        f"They are those of one generator, {found.generator} (chosen: {found.rule}). Another one "
        "may find others, and patterns that no generator draws stay unseen.",
        "Images that are neither "
        f"{found.positive} nor {found.negative} are not covered: the model gives them a class too.",
        "Intervals hold the chance in which images were drawn, and not that of another training "
        "of the model or the generator.",
    ]
    real = _number_of(found.figures["borderline_test"])
    if real < _FEWEST_REAL:
        said.append(
            f"Only {real} real test images are borderline, too few to compare the generated ones "
            "with."
        )
    return [*said, *(f"In doubt: {doubt}." for doubt in found.doubts)]


def _say_of_temperature(temperature: float | None) -> str:
    if temperature is None:
        return "No temperature could be found that would calibrate it."
    if temperature > _SURE:
        return f"It is too sure of itself (temperature {temperature:.2f})."
    if temperature < _UNSURE:
        return f"It is less sure than it could be (temperature {temperature:.2f})."
    return f"It is about as sure as it should be (temperature {temperature:.2f})."


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _count(found: Findings, name: str) -> str:
    return f"{_number_of(found.figures[name]):,}"


def _number_of(share: Measured) -> int:
    return round((share.value or 0) * (share.n or 0))
