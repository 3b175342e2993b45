from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch

from borderline.measures.class_names import ClassNames
from borderline.pipelines.prototypes.choosing.figures import (
    draw_coverage,
    draw_found_again,
    draw_validation,
)
from borderline.pipelines.prototypes.choosing.names import BETTER, RANDOM_BORDERLINE
from borderline.pipelines.prototypes.explaining.faithfulness import Curves
from borderline.pipelines.prototypes.explaining.figures import (
    captions_of_real,
    draw_faithfulness,
    draw_prototypes,
    draw_tipping,
)
from borderline.pipelines.prototypes.usefulness.rejection import compare_rejection, draw_rejection
from borderline.records import Tipping
from conftest import prototypes_params
from odd_names import ODD_NAMES, shows, texts_outside

NAMES = ClassNames("1", "7")


@pytest.mark.parametrize("count", [1, 8, 11])
def test_any_number_of_prototypes_can_be_drawn(count: int) -> None:
    attributions = torch.randn(count, 9, 9)
    figure = draw_prototypes(
        torch.zeros(count, 3, 9, 9),
        torch.full((count,), 0.5),
        ["4 images"] * count,
        {"saliency": attributions, "occlusion": attributions},
    )
    figure.savefig(BytesIO())
    titles = [ax.get_title() for ax in figure.axes]
    assert sum("p = 0.50" in title for title in titles) == count
    # A scale for p and one for each method.
    assert len(figure.axes) == 3 * min(count, 8) * -(-count // 8) + 3


@pytest.mark.parametrize(("neighbours", "steps", "count"), [(1, 1, 1), (2, 4, 3), (3, 2, 1)])
def test_strips_have_p_under_every_image(neighbours: int, steps: int, count: int) -> None:
    walk = 2 * steps + 1
    tipping: Tipping = {
        "walks": torch.rand(count, walk, 1, 8, 8),
        "walks_p": torch.linspace(0, 1, walk).expand(count, -1),
        "real_rows": torch.arange(2 * neighbours).reshape(2, -1).expand(count, -1, -1),
        "real_p": torch.linspace(0, 1, neighbours).expand(count, 2, -1),
    }
    table = pd.DataFrame({"prototype": [0], "confident": [False], "share": [0.5]})
    settings, real = prototypes_params().tipping, torch.rand(2 * neighbours, 1, 8, 8)
    figure = draw_tipping(tipping, real, table, settings.ends(0.5), 0.5, NAMES, latent=True)
    figure.savefig(BytesIO())
    texts = [text.get_text() for text in figure.axes[0].texts]
    images = 2 * neighbours + 2 * steps + 1
    # And a caption a strip, five titles above.
    assert len(texts) == count * (images + 1) + 5
    assert texts.count("1.00") == 3 * count if neighbours > 1 else True
    assert "0\nnot reached" in texts


def test_prototype_without_a_partner_is_said() -> None:
    images = torch.zeros(2, 1, 8, 8)
    matches = pd.DataFrame(
        [(0, 0, 0, 0.9), (1, 3, 1, 0.5)], columns=["prototype", "repeat", "row", "similarity"]
    )
    figure = draw_found_again(images, matches, {0: images, 3: images})
    figure.savefig(BytesIO())
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts == ["none", "none"]


def test_validation_is_drawn_with_gaps() -> None:
    rows = [
        {
            "chosen_by": name,
            "measure": measure,
            "value": np.nan if name == "random" else 0.5,
            "low": 0.4,
            "high": 0.6,
            "q_value": 0.01,
        }
        for name in ("medoid", "random", RANDOM_BORDERLINE)
        for measure in BETTER
    ]
    figure = draw_validation(pd.DataFrame(rows), 0.05)
    figure.savefig(BytesIO())
    assert len(figure.axes) == len(BETTER)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "Random borderline images",
        "Random images of each cluster",
        "Medoids",
    ]


def test_coverage_has_a_line_for_each_selection_beside_chance() -> None:
    assert len(draw_coverage(pd.DataFrame()).data) == 0
    curves = pd.DataFrame(
        {"radius": [0, 1], "medoid": [0, 1], "random_low": [0, 0.5], "random_high": [0.1, 1]}
    )
    names = [trace.name for trace in draw_coverage(curves).data]
    assert names == [None, "95 % of random choices", "Medoids"]


def test_faithfulness_and_rejection_are_drawn() -> None:
    of_model = Curves(np.random.rand(3, 5), np.random.rand(3, 5))
    scores = {"deletion": 0.2, "deletion_p": 0.05, "insertion": 0.1, "insertion_p": 0.4}
    table = pd.DataFrame([{"method": "saliency", **scores}])
    figure = draw_faithfulness(table, {"saliency": of_model}, [of_model, of_model], NAMES)
    figure.savefig(BytesIO())
    assert figure.axes[0].get_title() == "saliency: +0.20 (p = 0.05)"
    untested = table.assign(deletion_p=np.nan)
    nothing = draw_faithfulness(untested, {"saliency": of_model}, [of_model], NAMES)
    assert nothing.axes[0].get_title() == "saliency: no result"
    sure, wrong = {"confidence": np.ones(4)}, np.arange(4) > 2
    rejection = draw_rejection(sure, compare_rejection(sure, wrong, 0), wrong)
    rejection.savefig(BytesIO())
    assert rejection.axes[0].get_title().endswith("1 errors on 4 real test images")


@pytest.mark.parametrize("names", ODD_NAMES)
def test_figures_show_the_names_of_the_classes(names: ClassNames) -> None:
    labels = {"rows": torch.arange(2), "labels": torch.arange(2)}
    captions = captions_of_real(labels, names)  # type: ignore[arg-type]
    pushes = {"saliency": torch.randn(2, 8, 8)}
    p = torch.full((2,), 0.5)
    sheet = draw_prototypes(torch.zeros(2, 1, 8, 8), p, captions, pushes, "Images", names)
    tipping: Tipping = {
        "walks": torch.rand(1, 3, 1, 8, 8),
        "walks_p": torch.rand(1, 3),
        "real_rows": torch.zeros(1, 2, 1, dtype=torch.long),
        "real_p": torch.rand(1, 2, 1),
    }
    table = pd.DataFrame({"prototype": [0], "confident": [False], "share": [0.5]})
    real = torch.zeros(1, 1, 8, 8)
    walk = draw_tipping(tipping, real, table, (0.1, 0.9), 0.5, names, latent=True)
    for figure in (sheet, walk):
        assert texts_outside(figure) == []
        assert shows(figure, names)


def test_without_names_the_colours_mean_p() -> None:
    figure = draw_prototypes(torch.zeros(1, 1, 8, 8), torch.ones(1), ["one"], {})
    assert "(red: raises p, blue: lowers p)" in figure.get_suptitle().replace("\n", " ")
    assert figure.axes[-1].get_ylabel() == "p,\nboundary at 0.5"
