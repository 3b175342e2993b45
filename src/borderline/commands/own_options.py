"""Sentences about settings, in the words of ``kedro new-case``: its options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from borderline.errors import BorderlineError, sentence_in

# The place of a setting in a file that is not written yet.
_FILES = (r" in conf/<env>(/[a-z_.]+)?( or in --params)?", "")
_OF_IMAGES = (
    (r"source\.path|source\.kind", "--images"),
    (r"\bsource is invalid: (\w+) is", r"--\1 is"),
    (r"source\.(size|colour|classes|levels|folder|range|fit|broken)\b", r"--\1"),
    (r"source\.(file|label|split|group)_column\b", r"--\1-column"),
    (r"pair\.(positive|negative)", r"--\1"),
    (r"\[height, width\]", "height,width"),
    (r"such as \[(\d+), (\d+)\]", r"such as \1,\2"),
)
_OF_MODEL = (
    # Beside these options the columns of a file are a matter of the classes.
    (r"set it to true \(new-case: --trust\)", "add --trust"),
    (r" \(new-case: --\w+\)", ""),
    (r"\bset (\S*?)(trust|allow_chance) to true", r"add \1\2"),
    (r"\b(models\.[\w.-]+?\.)?source\.trust is False", "--trust is missing"),
    (r"\b(models\.[\w.-]+?\.)?source\.path\b", "--model"),
    (r"\b(models\.[\w.-]+?\.)?source\.import_path\b", "--import-path"),
    (r"\b(models\.[\w.-]+?\.)?source\.(arguments|trust|key|output)\b", r"--\2"),
    (r", and input\.fit to true to \w+ the images for the model", ""),
    (r"\bcorrect arguments\b", "correct --arguments"),
    (r"\b(models\.[\w.-]+?\.)?source\.kind\b", "the kind of --model"),
    (
        r"\b(models\.[\w.-]+?\.)?input \(range, mean, std(, dtype)?\)",
        "--input-range, --mean, --std",
    ),
    (r"\b(models\.[\w.-]+?\.)?input \(size[^)]*\)", "--size, --input-size or --colour"),
    (r"\b(models\.[\w.-]+?\.)?input\.(range|size)\b", r"--input-\2"),
    (r"\b(models\.[\w.-]+?\.)?input\.(mean|std)\b", r"--\2"),
    (r"\bmodels\.[\w.-]+?\.(columns|embedding)\b", r"--\1"),
    (r"\bmodels\.[\w.-]+?\.allow_chance\b", "--allow-chance"),
    (r"\bconfusion\.(threshold|band|scale)\b", r"--\1"),
    (r"\bconfusion is invalid: band\b", "--band"),
    (
        r": set scale to 'logit' and band to 0\.4, or band to at most ([\d.e-]+\d)"
        r"(; correct it)?\.",
        r": add --scale logit --band 0.4, or set --band to at most \1.",
    ),
    (
        r", raise classifier\.validation_share [^.]*\.",
        ", or leave --threshold out, and set confusion.threshold and classifier.validation_share "
        "in conf/<name>/parameters.yml.",
    ),
    (r"(?<![-\w])(columns|embedding|mean|positive) is (?=\W|None|missing)", r"--\1 is "),
    (r"\bmodels\.[\w-]+\.outputs is '\w+', but ", ""),
    (r"(--key|--output) is None\b", r"\1 is missing"),
    (r"(?<![\w.])models\.[\w-]+(?= )", "model"),
)


def in_options(sentence: str, *, of_images: bool) -> str:
    """A sentence with options in place of settings.

    Args:
        of_images: Whether it is about the images; ``source`` means the model's otherwise.

    Example:
        >>> in_options("source.size is missing: set source.size to 32.", of_images=True)
        '--size is missing: set --size to 32.'
    """
    own = (_FILES, *_OF_IMAGES) if of_images else (_FILES, *_OF_MODEL, *_OF_IMAGES)
    for pattern, option in own:
        sentence = re.sub(pattern, option, sentence)
    return sentence


@contextmanager
def speaking_of(*, images: bool) -> Iterator[None]:
    """Errors inside name options in place of settings; Kedro may have wrapped them."""
    try:
        yield
    except Exception as error:
        sentence = sentence_in(error)
        if sentence is None:
            raise
        raise BorderlineError(in_options(sentence, of_images=images)) from error
