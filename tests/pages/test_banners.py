from __future__ import annotations

import pytest

from borderline.pages.banners import QUICK, banners, headed
from conftest import findings_of

BLENDS = {"generator": "pixels", "baseline": "blends of two real images"}


def test_a_quick_look_has_one_banner_for_all_models() -> None:
    quick = findings_of(quick=True)
    assert banners({"a": quick, "b": quick}) == [QUICK]
    assert banners({"a": findings_of()}) == []


def test_a_baseline_has_a_banner_with_its_name() -> None:
    (sentence,) = banners({"a": findings_of(**BLENDS), "b": findings_of()})
    assert sentence.startswith(
        "The images of a are blends of two real images. Its generator, pixel"
    )


@pytest.mark.parametrize(
    ("models", "title"),
    [((BLENDS,), "T: blends of two real images"), ((BLENDS, {}), "T"), (({},), "T"), ((), "T")],
)
def test_title_says_what_the_images_are(models: tuple[dict[str, object], ...], title: str) -> None:
    assert headed("T", *(findings_of(**model) for model in models)) == title
