"""Sentences about settings."""

from __future__ import annotations

import pytest

from borderline.preflight.sentences import unknown


@pytest.mark.parametrize(
    ("groups", "name", "words"),
    [
        ([], "run.seed", "nest its groups, run: {seed: ...}."),
        (["gan"], "generator.filters", "nest its groups, gan: {generator: {filters: ...}}."),
        ([], "rum.seed", "Unknown setting 'rum.seed'."),
    ],
)
def test_key_with_dots(groups: list[str], name: str, words: str) -> None:
    assert words in unknown(groups, name, ["run", "generator"], "parameters*.yml")
