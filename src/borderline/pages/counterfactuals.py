"""Images and the smallest changes of the model's decision about them, as plain data for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import torch

from borderline.counterfactuals.explain import (
    BORDERLINE,
    ERROR,
    NOT_OF_THE_PAIR,
    PIXELS,
    are_blends,
)
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.findings import written
from borderline.measures.class_names import ClassNames
from borderline.measures.plots import as_change, as_data_uris
from borderline.measures.realism import USUAL
from borderline.pages.pictures import pictures, stretch_of
from borderline.records import Counterfactuals, take_rows

_CAPTIONS = {
    "images": "image",
    "reconstructions": "reconstruction",
    "boundary": "on the boundary",
    "flipped": "decided otherwise",
}
_STATES = {ERROR: "Error", BORDERLINE: "Borderline image"}


def view_counterfactuals(
    found: Counterfactuals,
    table: pd.DataFrame,
    names: ClassNames,
    threshold: float,
    settings: CounterfactualsParams,
    file: str = "counterfactuals.csv",
) -> dict[str, Any]:
    """The sentences about all images, and a card for the first ``settings.shown`` of them.

    Args:
        found: The images with a change.
        table: The table of all images, as it is read from its file.
        names: The names of the classes.
        threshold: The decision threshold.
        settings: The settings of the search.
        file: The name of the table's file.
    """
    shown = take_rows(found, slice(settings.shown))
    view: dict[str, Any] = {"sentences": list(_sentences(found, table, settings)), "cards": []}
    blends = view["blends"] = are_blends(table)
    if len(shown["rows"]) == 0:
        return view
    changes, limit = as_change(shown["reconstructions"], shown["flipped"])
    stretch = stretch_of(shown["images"])
    maps = as_data_uris(torch.from_numpy(changes).movedim(-1, 1).float() * 2 - 1)
    strips = {
        name: pictures(shown[name], shown["p"][:, column], f"{caption}, {{p}}", threshold=threshold)  # type: ignore[literal-required]
        for column, (name, caption) in enumerate(_CAPTIONS.items())
        if not (blends and name == "reconstructions")
    }
    for place, row in enumerate(shown["rows"].tolist()):
        about = table.iloc[row]
        tiles = [strips[name][place] | {"caption": _CAPTIONS[name]} for name in strips]
        change = {"src": maps[place], "alt": "Map of the change", "caption": "change"} | stretch
        view["cards"].append(
            {
                "title": _title(about),
                "says": " ".join(_says(about, names)),
                "pictures": [*tiles, change],
            }
        )
    view |= {"limit": f"{limit:.0%}".replace("%", " %"), "file": file}
    return view | {"rest": len(found["rows"]) - len(shown["rows"])}


def _title(about: pd.Series) -> str:
    state = _STATES.get(str(about["why"]))
    name = f"test image {about['image']}" if state else str(about["image"])
    known = isinstance(about["class"], str) and about["class"] != ""
    parts = [f"{state}: {name}" if state else name, f"is {about['class']}" if known else ""]
    return ", ".join(filter(None, parts))


def _says(about: pd.Series, names: ClassNames) -> Iterator[str]:
    """Sentences about one image."""
    up = float(about["flipped_p"]) > float(about["p"])
    before, after = (names.negative, names.positive) if up else (names.positive, names.negative)
    yield f"The model says {before} (p = {about['p']:.2f})."
    of_pixels = written("{:.1%}", float(about["change_l2"]) / 2)
    share = ""
    if pd.notna(about["latent_share"]):
        share = written("{:.0%}", float(about["latent_share"]))
        share = f"{share} of the usual distance of two latents, "
    yield (
        f"It says {after} (p = {about['flipped_p']:.2f}) after a change of {share}{of_pixels} of "
        "the range from black to white (root mean square)."
    )
    if _is_true(about["realistic"]):
        yield "The changed image is as realistic as real test images."
    else:
        yield (
            "The changed image is less realistic than "
            f"{written('{:.0%}', USUAL)} of the real test images."
        )
    if pd.notna(about["committee_agrees"]) and about["committee_agrees"] != "":
        verb = "agrees" if _is_true(about["committee_agrees"]) else "disagrees"
        yield f"The committee {verb}: it says {about['committee']}."
    if about["space"] == PIXELS:
        yield f"The change is {about['note']}."


def _is_true(value: Any) -> bool:
    # A column with gaps is one of texts or of objects.
    return str(value) == "True"


def _sentences(
    found: Counterfactuals, table: pd.DataFrame, settings: CounterfactualsParams
) -> Iterator[str]:
    """Sentences about all images."""
    if len(table) == 0:
        yield (
            "The test set contains no error and no borderline image, or "
            "counterfactuals.images is 0."
        )
        return
    counts = table["why"].value_counts()
    errors, borderline = (int(counts.get(name, 0)) for name in (ERROR, BORDERLINE))
    if errors + borderline:
        yield (
            f"{len(table)} real test images: {_counted(errors, 'error')}, the most confident ones "
            f"first, and {_counted(borderline, 'borderline image')}, the nearest to the boundary "
            "first."
        )

    def count(name: str, rows: pd.DataFrame = table) -> int:
        return int(rows[name].map(_is_true).sum())

    foreign = int(table["note"].str.startswith(NOT_OF_THE_PAIR, na=False).sum())
    if foreign:
        yield (
            f"Of {_counted(len(table), 'image')}, {foreign} {'is' if foreign == 1 else 'are'} not "
            "of the pair: the table says why for each. Nothing is shown of "
            f"{'it' if foreign == 1 else 'them'}."
        )
    asked = table[table["space"].notna() & (table["space"] != "")]
    shown = table.iloc[found["rows"].tolist()]
    if are_blends(asked):
        # The notes of the others say why they have no change.
        if len(shown):
            yield f"The changes are not the smallest ones: each is {shown['note'].iloc[0]}."
    elif len(asked):
        encoded = count("encoded")
        flips = count("reconstruction_flips", asked[asked["encoded"].map(_is_true)])
        share = written("{:.0%}", settings.encoded)
        yield (
            f"{encoded} of {len(asked)} could be encoded: the error of their reconstruction is in "
            f"the range of {share} of random real test images. Nothing is shown of the others."
        )
        if flips:
            yield (
                f"The model decides otherwise about {_counted(flips, 'reconstruction')} than about "
                "the image itself. No smallest change is claimed there."
            )
    if len(shown) == 0:
        yield "No image has a change to show: the table says why for each."
    else:
        realistic = count("realistic", shown)
        yield (
            f"The search has found a change for {_counted(len(shown), 'image')}. The model decides "
            f"otherwise about {count('valid', shown)} of the changed images; {realistic} "
            f"{'is' if realistic == 1 else 'are'} as realistic as real test images."
        )
        opinions = shown["committee"].notna() & (shown["committee"] != "")
        if opinions.any():
            yield (
                f"The committee agrees with the new decision on {count('committee_agrees', shown)} "
                f"of {len(shown)}; its own opinion has changed on "
                f"{count('committee_flips', shown)}."
            )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
