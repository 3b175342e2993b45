"""The node that explains images of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from torch import nn

    from borderline.boundary import Boundary
    from borderline.committee import Committee
    from borderline.counterfactuals.params import CounterfactualsParams
    from borderline.datasets.own_images import OwnFiles
    from borderline.params import RunParams
    from borderline.records import (
        Counterfactuals,
        LabelledImages,
        RealView,
        References,
    )
    from borderline.sampling import Sampler
    from borderline.verdicts.params import VerdictsParams


def explain_own_images(
    own_images: OwnFiles,
    pair_train: LabelledImages,
    pair_test: LabelledImages,
    real_view: RealView,
    real_reference: References,
    classifier: nn.Module,
    sampler: Sampler,
    judge: nn.Module,
    committee: Committee,
    pair_names: dict[str, str],
    *,
    settings: CounterfactualsParams,
    verdicts: VerdictsParams,
    run: RunParams,
    **boundary: Boundary,
) -> tuple[Counterfactuals, DataFrame, Figure, str]:
    """Find the smallest changes of the images of a folder that change the decision.

    Images of another class, and those unlike the real images, are not explained.

    ``boundary`` has one entry, ``<model>.boundary``, whose name tells the model.
    """
    from borderline.counterfactuals.explain import Surroundings
    from borderline.counterfactuals.figure import draw_counterfactuals
    from borderline.measures.class_names import ClassNames
    from borderline.pipelines.explain_images.explaining import explain_files
    from borderline.pipelines.explain_images.page import render

    ((name, of_model),) = boundary.items()
    names = ClassNames.of(pair_names)
    given = Surroundings(
        *(classifier, sampler, judge, committee, pair_train, pair_test, real_view),
        *(real_reference, of_model, names),
    )
    found, table = explain_files(own_images, given, verdicts, settings, run)
    # The user has asked about each of them.
    all_of_them = settings.model_copy(update={"shown": max(len(table), 1)})
    shown = names, of_model["threshold"]
    figure = draw_counterfactuals(found, table, *shown, all_of_them.shown)
    model = name.removesuffix(".boundary")
    page = render(model, own_images.name, pair_names, found, table, of_model, all_of_them)
    return found, table, figure, page
