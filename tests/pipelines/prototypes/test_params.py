from __future__ import annotations

import pytest
from pydantic import ValidationError

from borderline.findings import VALIDATION_MEASURES
from borderline.pipelines.prototypes.choosing.measures import RANGES
from borderline.pipelines.prototypes.choosing.names import (
    BASELINES,
    BETTER,
    NAMES,
    SELECTIONS,
)
from borderline.pipelines.prototypes.params import (
    ExplanationParams,
    MapParams,
    PrototypesParams,
    TippingParams,
    ValidationParams,
)
from conftest import ROOT, prototypes_params


def test_shown_prototypes_are_among_the_selected() -> None:
    with pytest.raises(ValidationError, match="shown is 'centroid', which selections does not"):
        prototypes_params(shown="centroid")
    with pytest.raises(ValidationError, match="nothing twice"):
        prototypes_params(selections=["medoid", "medoid"])


@pytest.mark.parametrize("name", ["draws", "label_draws"])
def test_too_few_draws_cannot_tell(name: str) -> None:
    values = prototypes_params().validation.model_dump() | {"level": 0.01, "draws": 99}
    values |= {"label_draws": 99, name: 98}
    with pytest.raises(ValidationError, match=f"98 {name} cannot tell .* raise {name} to 99"):
        ValidationParams.model_validate(values)
    assert ValidationParams.model_validate(values | {name: 99})


def test_every_selection_measure_and_setting_is_documented() -> None:
    page = (ROOT / "docs/prototypes.md").read_text()
    for name in (*SELECTIONS, *BASELINES, *BETTER, *prototypes_params().explanation.methods):
        assert f"`{name}`" in page, name
    settings = (ROOT / "conf/base/parameters_prototypes.yml").read_text()
    groups = (PrototypesParams, ValidationParams, ExplanationParams, TippingParams, MapParams)
    for name in (name for group in groups for name in group.model_fields):
        assert f" {name}:" in settings, name


def test_every_measure_and_selection_has_a_name_and_a_range() -> None:
    assert set(VALIDATION_MEASURES) == set(BETTER) == set(RANGES)
    assert set(NAMES) == {*SELECTIONS, *BASELINES}
