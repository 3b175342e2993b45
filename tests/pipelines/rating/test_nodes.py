"""From files of answers to tables and a record for the report, through the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from borderline.datasets import CSVDataset
from borderline.findings import Rating, digest_of_patterns
from borderline.grid import Grid
from borderline.measures.intervals import estimate_of_share
from borderline.params import RunParams
from borderline.pipelines.rating import nodes
from conftest import BOUNDARY, ROOT
from raters import ANSWERS, NAMES, answers_of, good, items_of, rated, rating_params

DATA = rated()
ITEMS = items_of(DATA)
GRID = Grid(models=("m",), generators=("hybrid",), runs=1, judges=("lenet",))
NO_OPINION = pd.DataFrame({"positive": [np.nan], "negative": np.nan, "beside": np.nan})


@pytest.fixture
def read(tmp_path: Path, run: RunParams) -> Any:
    """Reads files of answers as the pipeline does, with the tables on disk between the nodes."""
    names = yaml.safe_load((ROOT / "conf/base/catalog_rating.yml").read_text())["_names"]

    def saved(name: str, table: pd.DataFrame) -> pd.DataFrame:
        dataset = CSVDataset(filepath=str(tmp_path / f"{name}.csv"), load_args=names)
        dataset.save(table)
        return dataset.load()

    def all_nodes(*texts: str, opinions: pd.DataFrame = NO_OPINION, **changed: Any) -> Any:
        rating, files = rating_params(**changed), {f"{i}.json": t for i, t in enumerate(texts)}
        table = nodes.read_ratings(files, NAMES, ITEMS, grid=GRID, **{"m.rating_items": ITEMS})
        ratings = saved("ratings", table)
        raters = saved("raters", nodes.check_raters(ratings, ITEMS, rating=rating))
        agreement, verdicts, record = nodes.summarise_ratings(
            ratings,
            raters,
            ITEMS,
            DATA["borderline"],
            DATA["clusters"],
            DATA["prototypes"],
            NAMES,
            opinions,
            rating=rating,
            beside=0.5,
            split=0.25,
            run=run,
        )
        return ratings, raters, agreement, verdicts, record

    return all_nodes


def test_items_and_page_are_those_of_the_functions(run: RunParams) -> None:
    items = nodes.choose_rating_items(
        **DATA, boundary=BOUNDARY, rating=rating_params(), confident=0.9, run=run
    )
    assert torch.equal(items["images"], ITEMS["images"])
    (page,) = nodes.write_rating_pages(NAMES, grid=GRID, **{"m.rating_items": items})
    assert page.count('"png"') == len(ITEMS["kind"])


def test_without_answers_all_tables_are_empty(read: Any) -> None:
    ratings, raters, agreement, verdicts, record = read()
    assert (len(ratings), len(raters), len(verdicts), record) == (0, 0, 0, {})
    assert agreement["value"].isna().all()


def test_two_good_raters(read: Any) -> None:
    texts = (answers_of(ITEMS, "NA", good), answers_of(ITEMS, "007", good, seconds=2))
    ratings, raters, agreement, verdicts, record = read(*texts)
    assert raters["rater"].tolist() == ["NA", "007"], "names that look like numbers stay"
    assert raters["used"].all()
    assert raters[["answers", "items", "real", "right"]].to_numpy().tolist() == [[19, 19, 8, 1]] * 2
    assert raters["seconds"].tolist() == pytest.approx([1.09, 2.09])
    assert len(ratings) == 38
    alphas = agreement.set_index("kind")["value"]
    assert alphas["borderline"] == alphas["all"] == 1
    of_patterns = verdicts[verdicts["kind"] == "borderline"].set_index("pattern")
    assert of_patterns["verdict"].to_dict() == {0: "positive", 1: "neither"}
    assert of_patterns["prototype"].to_dict() == {0: "positive", 1: "neither"}
    # Both agree, so that two answers to four images are worth four.
    assert of_patterns.loc[0, "positive_low"] == pytest.approx(estimate_of_share(4, 4).low)
    rating = Rating.read(record)
    assert (rating.raters, rating.left_out) == (2, 0)
    assert rating.made_for == digest_of_patterns(*(DATA[n] for n in _PATTERNS))
    assert rating.patterns[0].says == (
        "People mostly see 7: 7 in 100 % [51 %, 100 %], 1 in 0 % [0 %, 49 %], neither in 0 % "
        "[0 %, 49 %], cannot tell in 0 % [0 %, 49 %] of 8 answers to 4 images."
    )
    text = " ".join(rating.says)
    assert "2 raters gave 38 answers on a page of 19 images." in text
    assert "1.00 [1.00, 1.00] on the borderline images" in text
    assert "Controls: 100 % of the answers to confident real images are right." in text
    assert "Blends of two real images: " in text
    assert "NA" not in text, "the report is passed on, so it names nobody"


_PATTERNS = ("borderline", "clusters", "prototypes")


def test_rater_who_does_not_look_is_left_out_and_reported(read: Any) -> None:
    blind = answers_of(ITEMS, "blind", lambda *_: "positive")
    _, raters, _, verdicts, record = read(answers_of(ITEMS, "anna", good), blind)
    assert raters["used"].tolist() == [True, False]
    assert raters["right"].tolist() == [1, 0.5]
    assert "4 of 8 confident real images right" in raters["note"][1]
    assert verdicts["answers"].sum() == 19, "only those of anna"
    rating = Rating.read(record)
    assert (rating.raters, rating.left_out) == (1, 1)
    assert any("The answers of 1 rater are left out" in says for says in rating.says)
    assert any("One rater" in says for says in rating.says)
    lenient = read(answers_of(ITEMS, "anna", good), blind, least_right=0.5)[1]
    assert lenient["used"].all()


def test_only_blind_raters_give_no_verdict(read: Any) -> None:
    *_, verdicts, record = read(answers_of(ITEMS, "blind", lambda *_: "neither"))
    assert len(verdicts) == 0
    rating = Rating.read(record)
    assert (rating.raters, rating.patterns) == (0, {})
    assert len(rating.says) == 1


def test_half_finished_ratings_count_as_far_as_they_go(read: Any) -> None:
    only_0 = answers_of(
        ITEMS, "anna", lambda k, p: None if (k, p) == ("borderline", 1) else good(k, p)
    )
    _, raters, _, _, record = read(only_0)
    assert raters["answers"].tolist() == [15]
    assert list(Rating.read(record).patterns) == [0]
    no_control = answers_of(ITEMS, "ben", lambda k, p: good(k, p) if k == "borderline" else None)
    raters = read(no_control)[1]
    assert raters["note"].tolist() == ["answered no confident real image"]
    assert not raters["used"].any()


def test_divided_people_have_an_open_verdict(read: Any) -> None:
    def other(kind: str, pattern: int) -> str:
        return "negative" if kind == "borderline" else good(kind, pattern)

    *_, agreement, verdicts, record = read(
        answers_of(ITEMS, "anna", good), answers_of(ITEMS, "ben", other)
    )
    of_patterns = verdicts[verdicts["kind"] == "borderline"]
    assert of_patterns["verdict"].tolist() == ["open", "open"]
    assert of_patterns["prototype"].tolist() == ["cannot_tell", "cannot_tell"]
    assert of_patterns["positive"].tolist() == [0.5, 0]
    shares = of_patterns[list(ANSWERS)].sum(axis=1)
    assert shares.tolist() == pytest.approx([1, 1])
    assert agreement.set_index("kind")["value"]["borderline"] < 0
    assert "The answers of people have no clear majority" in Rating.read(record).patterns[0].says


def test_committee_gives_kappa(read: Any) -> None:
    opinions = pd.DataFrame(
        {"positive": [0.95, 0.05] * 20, "negative": 0.05, "beside": [0.0, 0.9] * 20}
    )
    *_, agreement, _, record = read(answers_of(ITEMS, "anna", good), opinions=opinions)
    row = agreement[agreement["measure"] == "kappa"].iloc[0]
    assert (row["value"], row["images"]) == (1, 8)
    assert Rating.read(record).kappa.value == 1
    assert any("Cohen's kappa" in says for says in Rating.read(record).says)


def test_answers_are_counted_by_image_without_raters_that_do_not_count(read: Any) -> None:
    bad = answers_of(ITEMS, "bad", lambda *_: "neither")
    ratings, raters, *_ = read(answers_of(ITEMS, "a", good), bad)
    images = DATA["borderline"], DATA["clusters"], DATA["prototypes"]
    labels = nodes.count_answers(ratings, raters, ITEMS, *images)
    assert labels["made_for"] == digest_of_patterns(*images)
    rows = ITEMS["row"][ITEMS["kind"] == 0].tolist()
    assert set(labels["answers"]) == {str(row) for row in rows}
    assert all(sum(counts.values()) == 1 for counts in labels["answers"].values())
    # Raters whose answers do not count have a file too: the repair asks for it where people rated.
    assert nodes.count_answers(ratings[:0], raters, ITEMS, *images)["answers"] == {}
    assert nodes.count_answers(ratings[:0], raters[:0], ITEMS, *images) == {}
