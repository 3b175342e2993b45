from __future__ import annotations

import re

import pytest
import torch
from pydantic import ValidationError

from borderline.boundary import fingerprint
from borderline.errors import BorderlineError
from borderline.pipelines.gasten.epoch import borderline_rows
from borderline.pipelines.gasten.kinds.gasten import Settings
from conftest import BOUNDARY, gan_params, generator_settings


def settings(**values: object) -> Settings:
    made: Settings = generator_settings("gasten", epochs=1, **values)
    return made


@pytest.mark.parametrize(
    ("term", "alpha"),
    [("gasten", 25), ("gaussian", 1), ("gaussian_two_step", 1), ("kl", 5), ("logit", 3)],
)
def test_weight_left_out_is_the_usual_one(term: str, alpha: float) -> None:
    assert settings(term=term).alpha == alpha
    assert settings(term=term, alpha=0.5).alpha == 0.5
    # What one run writes into its checkpoints is what the next one reads from its settings.
    assert Settings.model_validate(settings(term=term).model_dump()) == settings(term=term)


@pytest.mark.parametrize("term", ["mgda", "mgda_norm"])
def test_mgda_takes_no_weight(term: str) -> None:
    assert settings(term=term).alpha is None
    with pytest.raises(ValidationError, match="must be left out"):
        settings(term=term, alpha=3)
    with pytest.raises(ValidationError, match="must be left out"):
        settings(term=term, alpha_growth=2)


def test_list_of_starts_means_a_generator_each() -> None:
    variants = settings(start=[1, 5, "best"]).variants()
    assert {suffix: variant.start for suffix, variant in variants.items()} == {
        "_from_1": 1,
        "_from_5": 5,
        "_from_best": "best",
    }
    assert list(settings(start="best").variants()) == [""]


def test_real_borderline_images_are_those_in_the_band() -> None:
    p = torch.sigmoid(torch.tensor([0.0, 0.9, -0.2, 0.3, -1.0, 0.5]))
    assert borderline_rows(p, BOUNDARY).tolist() == [0, 2, 3]
    with pytest.raises(BorderlineError, match="the training set has none: set it to 0"):
        borderline_rows(p[[1, 4]], BOUNDARY)


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("gausian", r"must be one of gasten, gaussian, .*mgda_norm \(did you mean 'gaussian'\?\)"),
        ("x", "must be one of gasten, .*mgda_norm$"),
    ],
)
def test_unknown_term_is_answered_with_the_known_ones(term: str, words: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(term=term)
    assert re.search(words, error.value.errors()[0]["msg"])


GAN = gan_params(epochs=5, latent_dim=2, filters=2, batch_size=2, learning_rate=1e-3)
STEP_1 = {"run.seed": 3, **GAN.fingerprint("gan")}
BAND = {"confusion.band": 0.1, "confusion.scale": "probability"}
MODEL = {"run.seed": 0, "model.kind": "cnn"}


@pytest.mark.parametrize(
    ("changed", "start", "more"),
    [
        ({}, None, {"gan.epochs": 5}),
        ({}, 4, {"gan.epochs": 4}),
        ({"start": 2}, None, {"generator.start": 2}),
        ({"start": "best"}, None, {}),
        ({"start": "best"}, 3, {"generator.start": 3}),
        (
            {"real_borderline": 0.5},
            5,
            {"gan.epochs": 5, **BAND},
        ),
        (
            {"early_stopping": {"metric": "acd", "patience": 1}},
            5,
            {"gan.epochs": 5, **BAND},
        ),
    ],
)
def test_fingerprint_of_step_2(
    changed: dict[str, object], start: int | None, more: dict[str, object]
) -> None:
    generator = settings(**changed)
    found = generator.training_settings(STEP_1, MODEL, GAN, fingerprint(BOUNDARY), start)
    assert found == {
        **STEP_1,
        **MODEL,
        "generator.kind": "gasten",
        "generator.term": "gasten",
        "generator.alpha": 25.0,
        "generator.alpha_growth": 1.0,
        "generator.real_borderline": generator.real_borderline,
        "confusion.threshold": 0.5,
        **more,
    }


def test_last_epoch_of_a_given_step_1_is_known_only_when_it_is_read() -> None:
    assert "gan.epochs" not in settings().training_settings({}, MODEL, GAN, fingerprint(BOUNDARY))
