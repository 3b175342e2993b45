from __future__ import annotations

from io import StringIO

import pandas as pd

from borderline.counterfactuals.explain import choose_test_images, explain_images
from borderline.counterfactuals.figure import draw_counterfactuals
from borderline.measures.class_names import ClassNames
from borderline.pages.counterfactuals import view_counterfactuals
from borderline.params import RunParams
from borderline.records import take_rows
from conftest import BOUNDARY
from planes import PlaneSampler, settings_of, surroundings

NAMES = ClassNames("0", "1")
TEXT = {"image": str, "class": str, "why": str, "space": str, "committee": str, "note": str}


def as_read(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it comes from its file."""
    read = pd.read_csv(StringIO(table.to_csv(index=False)), dtype=TEXT, keep_default_na=True)
    read[list(TEXT)] = read[list(TEXT)].fillna("")
    return read


def test_cards_and_sentences_count_the_images(run: RunParams) -> None:
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 4)
    settings = settings_of(shown=2, encoded=1)
    found, table = explain_images(asked, given, settings, run)
    view = view_counterfactuals(found, as_read(table), NAMES, 0.5, settings)
    text = " ".join(view["sentences"])
    assert "4 real test images: 2 errors" in text
    assert f"found a change for {len(found['rows'])} images" in text
    assert f"agrees with the new decision on {len(found['rows'])} of {len(found['rows'])}" in text
    assert len(view["cards"]) == 2
    assert view["rest"] == len(found["rows"]) - 2
    card = view["cards"][0]
    assert card["title"].startswith(f"Error: test image {asked.names[0]}, is ")
    assert [picture["caption"] for picture in card["pictures"]] == [
        *("image", "reconstruction", "on the boundary", "decided otherwise", "change"),
    ]
    assert "The committee agrees" in card["says"]


def test_blends_are_not_called_smallest_changes(run: RunParams) -> None:
    given = surroundings(sampler=PlaneSampler(with_latents=False))
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 3)
    found, table = explain_images(asked, given, settings_of(), run)
    view = view_counterfactuals(found, as_read(table), NAMES, 0.5, settings_of())
    assert "not the smallest ones" in " ".join(view["sentences"])
    # A blend starts at the image itself, and has no reconstruction.
    assert view["blends"]
    captions = [picture["caption"] for picture in view["cards"][0]["pictures"]]
    assert captions == ["image", "on the boundary", "decided otherwise", "change"]
    drawn = draw_counterfactuals(found, table, NAMES, 0.5, 2)
    assert "smallest" not in drawn.get_suptitle()
    assert len(drawn.axes) == 4 * min(len(found["rows"]), 2) + 2
    p = [axes.get_title().rpartition(" ")[2] for axes in drawn.axes[:3]]
    assert p == [f"{float(found['p'][0, column]):.2f}" for column in (0, 2, 3)]
    assert "could be encoded" not in " ".join(view["sentences"])
    # The first image has no change, and says so.
    table.loc[0, "note"] = "the search has found no change of the decision"
    found = take_rows(found, found["rows"] > 0)
    view = view_counterfactuals(found, as_read(table), NAMES, 0.5, settings_of())
    assert "each is a blend with a real image" in " ".join(view["sentences"])
    none = view_counterfactuals(take_rows(found, slice(0)), table, NAMES, 0.5, settings_of())
    assert "No image has a change to show" in none["sentences"][-1]


def test_without_images_one_sentence_stands_there(run: RunParams) -> None:
    given = surroundings()
    asked = choose_test_images(given.test, given.view["test_p"], BOUNDARY, 0)
    found, table = explain_images(asked, given, settings_of(), run)
    view = view_counterfactuals(found, as_read(table), NAMES, 0.5, settings_of())
    assert view["cards"] == []
    assert len(view["sentences"]) == 1
