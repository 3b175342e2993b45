from __future__ import annotations

import re

import pytest
import torch
from pydantic import ValidationError

from borderline.boundary import ConfusionParams, fingerprint
from borderline.errors import BorderlineError
from borderline.params import RunParams, flat
from borderline.pipelines.gasten.epoch import borderline_rows
from borderline.pipelines.gasten.gan import Gan
from borderline.pipelines.gasten.gan_params import NETWORKS
from borderline.pipelines.gasten.kinds.gasten import Settings, _starting_gan
from borderline.pipelines.gasten.params import GeneratorContext
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
CONFUSION = ConfusionParams(threshold=0.5, band=0.1, scale="probability")
AT_HALF = fingerprint(BOUNDARY)
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
    found = generator.training_settings(STEP_1, MODEL, GAN, AT_HALF, start)
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


OWN = {"batch_size": 4, "disc_iters": 3, "learning_rate": 0.5}


def test_step_2_has_its_own_settings(run: RunParams) -> None:
    gan = gan_params(**GAN.model_dump() | {"generator": {"learning_rate": 0.1, "filters": 1}})
    assert settings().step_2(gan) == gan
    start = {"epoch": 5, "settings": {}, "history": [], "state": Gan(gan, (1, 8, 8), run).state()}
    generator = settings(**OWN, checkpoint_every=7)
    network, _ = _starting_gan({"epoch_0005": lambda: start}, generator, gan, (1, 8, 8), run)  # type: ignore[dict-item]
    now = network.params
    assert (now.batch_size, now.disc_iters, now.checkpoint_every) == (4, 3, 7)
    for name in NETWORKS:
        assert now.network(name) == gan.network(name)._replace(learning_rate=0.5)
        assert getattr(network, f"{name}_optimiser").param_groups[0]["lr"] == 0.5


def test_step_2_may_start_from_the_untrained_gan(run: RunParams) -> None:
    start = {"epoch": 1, "settings": {"a": 1}, "history": [], "state": {}}
    network, checkpoint = _starting_gan(
        {"epoch_0001": lambda: start},  # type: ignore[dict-item]
        settings(start=0),
        GAN,
        (1, 8, 8),
        run,
    )
    untrained = Gan(GAN, (1, 8, 8), run)
    assert (checkpoint["epoch"], checkpoint["settings"]) == (0, {"a": 1})
    for name, weights in untrained.generator.state_dict().items():
        assert torch.equal(weights, network.generator.state_dict()[name])
    found = settings(start=0).training_settings(STEP_1, MODEL, GAN, AT_HALF, 0)
    assert found["generator.start"] == 0


@pytest.mark.parametrize("name", OWN)
def test_fingerprint_of_step_2_has_its_own_settings_beside_the_common_ones(name: str) -> None:
    now = settings(**{name: OWN[name]}).training_settings(STEP_1, MODEL, GAN, AT_HALF, 5)
    before = settings().training_settings(STEP_1, MODEL, GAN, AT_HALF, 5)
    key = f"gan.{name}"
    assert now == before | {key: f"{before[key]} (step 2: {OWN[name]})"}
    same = settings(**{name: before[key]}).training_settings(STEP_1, MODEL, GAN, AT_HALF, 5)
    assert same == before
    free = settings(checkpoint_every=2, sorted_samples=True)
    assert free.training_settings(STEP_1, MODEL, GAN, AT_HALF, 5) == before


def test_settings_that_ledgers_of_earlier_versions_lack_are_none_by_default() -> None:
    gan, step_2 = gan_params(batch_size=2).plain(), settings().plain()
    later = {name: gan[name] for name in ("betas", *NETWORKS)}
    later |= {name: step_2[name] for name in (*OWN, "checkpoint_every", "sorted_samples")}
    assert {value for _, value in flat(later)} == {None}


def test_step_2_has_enough_steps_for_its_discriminator() -> None:
    gan = GAN.model_copy(update={"steps_per_epoch": 4})
    context = GeneratorContext(gan=gan, confusion=CONFUSION, spaces={}, members=1)
    settings(disc_iters=4).check("mine", context)
    with pytest.raises(BorderlineError, match=r"generators\.mine\.disc_iters is 5, .* 4 steps"):
        settings(disc_iters=5).check("mine", context)


def test_last_epoch_of_a_given_step_1_is_known_only_when_it_is_read() -> None:
    assert "gan.epochs" not in settings().training_settings({}, MODEL, GAN, AT_HALF)
