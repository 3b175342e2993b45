from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from borderline.committee import Committee
from borderline.datasets import OwnImages
from borderline.params import RunParams
from borderline.pipelines.explain_images.entries import name_of_results
from borderline.pipelines.explain_images.nodes import explain_own_images
from conftest import BOUNDARY
from planes import Model, OfMore, PlaneSampler, real_images, settings_of, surroundings
from planted import THRESHOLDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of the generator, a chequered one, and one that cannot be read."""
    mine = tmp_path / "mine"
    mine.mkdir()
    _, real = real_images(3, 3)
    pixels = ((real["images"].numpy()[:, 0].clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(mine / f"{number}.png")
    chequered = np.indices((6, 6)).sum(0) % 2 * 255
    Image.fromarray(chequered.astype(np.uint8)).save(mine / "chequered.png")
    (mine / "broken.png").write_text("no image")
    return mine


def explained(folder: Path, run: RunParams, **changed: Any) -> Any:
    """The results for the images of a folder, where everything else is planes."""
    given = surroundings(**changed)
    return explain_own_images(
        OwnImages(path=str(folder)).load(),
        *(given.train, given.test, given.view, given.reference, given.classifier),
        *(given.sampler, given.judge, given.committee),
        {"source": "planes", "negative": "0", "positive": "1"},
        settings=settings_of(encoded=1),
        verdicts=THRESHOLDS,
        run=run,
        **{"cnn_2.boundary": BOUNDARY},
    )


def test_each_file_has_a_row_and_the_page_shows_what_can_be_shown(
    run: RunParams, folder: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    found, table, figure, page = explained(folder, run)
    names = ["0.png", "1.png", "2.png", "broken.png", "chequered.png"]
    assert table["image"].tolist() == names
    assert table["note"].iloc[3].startswith("cannot be read: cannot identify")
    assert table["note"].iloc[4].startswith("not of the pair: farther from the training images")
    assert 0 <= table["p"].iloc[4] <= 1
    assert "Of 5 images, 1 is not of the pair" in page
    assert set(found["rows"].tolist()) <= {0, 1, 2}
    assert len(found["rows"]) >= 2
    assert table["valid"].iloc[found["rows"].tolist()].all()
    assert "cnn_2" in page
    assert "broken.png" in page
    assert page.count("decided otherwise, p = ") == len(found["rows"])
    assert len(figure.axes) == 5 * len(found["rows"]) + 2
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("with_latents", [True, False])
@pytest.mark.parametrize("left", [["chequered.png", "broken.png"], ["broken.png"]])
def test_without_an_image_of_the_pair_nothing_is_searched(
    run: RunParams, folder: Path, left: list[str], with_latents: bool
) -> None:
    for path in folder.iterdir():
        if path.name not in left:
            path.unlink()
    nobody = Committee(members=(), classes=(), positive=1, negative=0)
    sampler = PlaneSampler(with_latents=with_latents)
    found, table, _, page = explained(folder, run, committee=nobody, sampler=sampler)
    assert table["image"].tolist() == sorted(left)
    assert len(found["rows"]) == 0
    assert table["space"].isna().all()
    assert "No image has a change to show" in page


def test_blends_leave_images_that_are_not_of_the_pair_out(run: RunParams, folder: Path) -> None:
    found, table, _, _ = explained(folder, run, sampler=PlaneSampler(with_latents=False))
    assert found["rows"].tolist() == [0, 1, 2]
    assert table["note"].iloc[4].startswith("not of the pair")


def test_image_without_a_probability_has_a_note(run: RunParams, folder: Path) -> None:
    class Standardised(Model):
        def forward(self, images: Tensor) -> Tensor:
            spread = images.std((1, 2, 3))
            return super().forward(images) * (spread / spread)

    Image.new("L", (6, 6), 128).save(folder / "blank.png")
    found, table, _, page = explained(folder, run, classifier=Standardised())
    rows = table.set_index("image")
    assert rows["note"]["blank.png"] == "the model gives NaN for it"
    assert np.isnan(rows["p"]["blank.png"])
    assert len(found["rows"]) >= 2
    assert "the model gives NaN for it" in page
    assert ">nan" not in page


def test_image_of_another_class_of_the_model_is_not_of_the_pair(
    run: RunParams, folder: Path
) -> None:
    found, table, _, _ = explained(folder, run, classifier=OfMore())
    beside = table["note"] == "not of the pair: the model gives other classes more than 0.5"
    assert beside.any()
    assert (table["p"][beside] > 0.5).all()
    assert (found["p"][:, 0] < 0.5).all()


def test_folders_of_one_name_have_results_of_their_own() -> None:
    project = Path("/project")
    first, second = (name_of_results(path, project) for path in ("a/photos", "b/photos"))
    assert first.startswith("photos_")
    assert first != second
    assert name_of_results("a/photos/", project) == first
    assert name_of_results(None, project) == "images"
