from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from borderline.committee import Committee
from borderline.counterfactuals.explain import (
    BORDERLINE,
    COLUMNS,
    ERROR,
    OWN,
    Asked,
    choose_test_images,
    explain_images,
)
from borderline.counterfactuals.figure import draw_counterfactuals
from borderline.measures.class_names import ClassNames
from borderline.params import RunParams
from borderline.records import LabelledImages
from conftest import BOUNDARY
from planes import (
    Blind,
    Decoder,
    Model,
    OfMore,
    PlaneSampler,
    real_images,
    settings_of,
    surroundings,
)

NAMES = ClassNames("0", "1")


def test_errors_come_first_and_the_most_confident_one_first() -> None:
    p = torch.tensor([0.9, 0.45, 0.1, 0.52, 0.7, 0.01])
    labels = torch.tensor([0, 0, 0, 1, 0, 1])
    test: LabelledImages = {"images": torch.zeros(6, 1, 2, 2), "labels": labels}
    asked = choose_test_images(test, p, BOUNDARY, 10)
    assert asked.names == ["5", "0", "4", "3", "1"]
    assert asked.why == [ERROR] * 3 + [BORDERLINE] * 2
    assert choose_test_images(test, p, BOUNDARY, 2).names == ["5", "0"]
    assert choose_test_images(test, p, BOUNDARY, 0).names == []


def test_smallest_change_of_planes_is_known(run: RunParams) -> None:
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 8)
    found, table = explain_images(asked, given, settings_of(), run)
    assert table.columns.tolist() == list(COLUMNS)
    assert table["why"].tolist()[:2] == [ERROR] * 2
    shown = table.iloc[found["rows"].tolist()]
    assert len(shown) >= 6
    assert shown["valid"].all()
    assert (shown["boundary_p"] - 0.5).abs().max() < 0.01
    assert ((shown["flipped_p"] - 0.5).abs() - 0.1).abs().max() < 0.01
    errors = shown[shown["why"] == ERROR]
    assert errors["corrects"].all()
    assert shown["corrects"][shown["why"] == BORDERLINE].isna().all()
    # The model is right about nothing but the left half, so nothing else changes.
    change = found["flipped"] - found["reconstructions"]
    left = change[:, :, :4, :3]
    assert (change.abs().sum((1, 2, 3)) - left.abs().sum((1, 2, 3))).abs().max() < 0.05
    assert shown["committee_agrees"].all()
    assert shown["committee_flips"].all()
    lengths = shown["flipped_p"].astype(float).map(lambda p: torch.logit(torch.tensor(p)).item())
    start = (
        shown["reconstruction_p"].astype(float).map(lambda p: torch.logit(torch.tensor(p)).item())
    )
    # The slope of the logit in the first latent is 3.
    assert ((lengths - start).abs() / 3 - shown["latent"].astype(float)).abs().max() < 0.02


def test_the_same_seed_gives_the_same_table(run: RunParams) -> None:
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    tables = [explain_images(asked, given, settings_of(), run)[1] for _ in range(2)]
    assert tables[0].to_csv() == tables[1].to_csv()


def own(images: torch.Tensor, p: torch.Tensor) -> Asked:
    names = [f"{row}.png" for row in range(len(images))]
    return Asked(images, names, None, [OWN] * len(images), p)


def test_an_image_that_cannot_be_encoded_is_refused_with_a_row(run: RunParams) -> None:
    given = surroundings()
    _, real = real_images(3, 3)
    checked = torch.ones(1, 1, 6, 6)
    checked[:, :, ::2, ::2] = checked[:, :, 1::2, 1::2] = -1
    images = torch.cat([real["images"], checked])
    p = torch.sigmoid(given.classifier(images)).detach()
    found, table = explain_images(own(images, p), given, settings_of(encoded=1), run)
    assert "cannot be encoded" in table["note"].iloc[3]
    assert not table["encoded"].iloc[3]
    assert table["encoding_error"].iloc[3] > table["encoding_limit"].iloc[3]
    assert pd.isna(table["flipped_p"].iloc[3])
    assert 3 not in found["rows"].tolist()
    assert table["class"].isna().all()


def test_a_reconstruction_that_is_decided_otherwise_is_said(run: RunParams) -> None:
    given = surroundings()
    _, real = real_images(3, 3)
    p = torch.sigmoid(given.classifier(real["images"])).detach()
    # As if the model saw the images themselves otherwise.
    found, table = explain_images(own(real["images"], 1 - p), given, settings_of(encoded=1), run)
    assert table["reconstruction_flips"].all()
    assert table["note"].str.contains("decides otherwise about the reconstruction").all()
    assert len(found["rows"]) == 0
    assert table["valid"].isna().all()


class Flat(Model):
    """Its decision hardly depends on the image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).tanh() / 10


def test_a_search_in_vain_measures_no_change(run: RunParams) -> None:
    given = surroundings(classifier=Flat())
    _, real = real_images(3, 3)
    p = torch.sigmoid(given.classifier(real["images"])).detach()
    found, table = explain_images(own(real["images"], p), given, settings_of(encoded=1), run)
    assert len(found["rows"]) == 0
    assert (table["note"] == "the search has found no change of the decision").any()
    assert table[["latent", "latent_share", "flipped_p"]].isna().all(axis=None)


def test_a_change_to_a_class_beside_the_pair_is_left_out(run: RunParams) -> None:
    given = surroundings(classifier=OfMore())
    _, real = real_images(6, 3)
    p = torch.sigmoid(given.classifier(real["images"])).detach()
    found, table = explain_images(own(real["images"], p), given, settings_of(encoded=1), run)
    beside = table["note"] == "the change leads to a class beside the pair"
    assert 0 < beside.sum() < 6
    assert (p[torch.tensor(beside.tolist())] < 0.5).all()
    assert (found["p"][:, 0] > 0.5).all()
    assert len(found["rows"]) >= 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sampler": PlaneSampler(with_latents=False)}, "the generator has no latents"),
        ({"classifier": Blind()}, "no gradients"),
    ],
)
def test_without_latents_or_gradients_images_are_blended_and_that_is_said(
    run: RunParams, changed: dict[str, object], reason: str
) -> None:
    given = surroundings(**changed)
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    found, table = explain_images(asked, given, settings_of(), run)
    assert table["space"].eq("pixels").all()
    assert table["note"].str.contains(reason).all()
    assert table["note"].str.contains("not the smallest change").all()
    assert table["valid"].iloc[found["rows"].tolist()].all()
    assert table["encoded"].isna().all()
    assert torch.equal(found["images"], found["reconstructions"])


def test_without_images_of_the_other_decision_nothing_is_blended(run: RunParams) -> None:
    given = surroundings(sampler=PlaneSampler(with_latents=False))
    view = {**given.view, "train_p": torch.full_like(given.view["train_p"], 0.5)}
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    found, table = explain_images(asked, given._replace(view=view), settings_of(), run)
    assert table["note"].eq("there is no real image of the other decision").all()
    assert len(found["rows"]) == 0


def test_without_errors_and_borderline_images_nothing_is_computed(
    run: RunParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("borderline.encoding.encode", None)
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 0)
    found, table = explain_images(asked, given, settings_of(images=0), run)
    assert len(table) == 0
    assert found["images"].shape == (0, 1, 6, 6)
    figure = draw_counterfactuals(found, table, NAMES, 0.5, 3)
    assert "no errors and no borderline images" in figure.texts[0].get_text()


def test_a_committee_without_opinion_says_nothing(run: RunParams) -> None:
    committee = Committee(members=(), classes=("0", "1"), positive=1, negative=0)
    given = surroundings(committee=committee)
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 3)
    _, table = explain_images(asked, given, settings_of(), run)
    assert table[["committee", "committee_agrees", "committee_flips"]].isna().all(axis=None)


def test_a_flow_is_encoded_by_its_own_inverse(run: RunParams) -> None:
    class Inverse(Decoder):
        def encode(self, images: torch.Tensor) -> torch.Tensor:
            return images[:, 0, [0, 0, 5], [0, 5, 0]] / 0.3

    class Sampler(PlaneSampler):
        @property
        def decoder(self) -> nn.Module:
            return Inverse()

    given = surroundings(sampler=Sampler())
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    _, table = explain_images(asked, given, settings_of(), run)
    assert (table["reconstruction_l2"] < 0.05).all()


def test_the_figure_has_a_row_an_image(run: RunParams) -> None:
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    found, table = explain_images(asked, given, settings_of(encoded=1), run)
    figure = draw_counterfactuals(found, table, NAMES, 0.5, 2)
    assert len(figure.axes) == 2 * 5 + 2
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert any("error" in label for label in labels)
    assert replace(given.sampler).decoder is not None
