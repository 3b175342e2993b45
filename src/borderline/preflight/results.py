"""Checks that results on disk are as the nodes left them that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import ledger
from borderline.datasets.atomic import DamagedFile
from borderline.datasets.digests import digest_of, place_of
from borderline.errors import BorderlineError, causes

SAME_IMAGES = (
    "delete source.json in 06_models/<case>/ledger if the images are still those of the last run, "
    "or move the data folder away to begin anew."
)
_OTHER_RUN, _OTHER_LEDGER = "other_run.", "other_run.ledger"


def digests_of(catalog: DataCatalog) -> ledger.Digest:
    """Gives the present digest of a dataset of the catalog."""

    def digest(name: str) -> str | None:
        return digest_of(catalog.get(name))

    return digest


def check_places(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that no folder is where a run saves a file, and no file where it needs a folder."""
    for name in ("ledger", *sorted(pipeline.all_outputs())):
        place = place_of(catalog.get(name))
        if place is None or not place.is_local:
            continue
        path = Path(place.path)
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        needs_folder = place.is_folder or there != path
        if there.is_dir() != needs_folder:
            kinds = ("file", "folder") if needs_folder else ("folder", "file")
            raise BorderlineError(
                f"{there} is a {kinds[0]}, but the run needs a {kinds[1]} of that name for "
                f"{name!r}: move it away."
            )
        entries = path.glob(f"*{place.suffix}") if name == "ledger" else ()
        for entry in filter(Path.is_dir, entries):
            raise BorderlineError(
                f"{entry} is a folder, but the run needs a file of that name: move it away."
            )


def check_results(
    book: ledger.Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    command: str,
    names: Iterable[str],
    catalog: DataCatalog,
) -> None:
    """Check that the results that a run takes from others are as the others left them."""
    digest = digests_of(catalog)
    for name, stage, remedy in ledger.changed_results(
        book, stages, running, names, digest, command
    ):
        raise BorderlineError(
            f"{_path(catalog, name)} was changed or damaged after {stage} made it: put the "
            f"original back, or run `{remedy}` to make it again (keep your own changes under "
            "another name)."
        )


def check_other_run(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that the other run of a comparison has finished, and that its results are unchanged."""
    names = sorted(name for name in pipeline.inputs() if name.startswith(_OTHER_RUN))
    if not names:
        return
    dataset: Any = catalog.get(_OTHER_LEDGER)
    remedy = "run all stages in the project of that run, or copy its whole data folder again."
    book: ledger.Ledger = catalog.load(_OTHER_LEDGER) if catalog.exists(_OTHER_LEDGER) else {}
    entries = [ledger.entry(book, name, f"{remedy} ({dataset._path})") for name in book]
    made = {name: digest for entry in entries for name, digest in entry.get("results", {}).items()}
    digest = digests_of(catalog)
    for name in names:
        former = made.get(name.removeprefix(_OTHER_RUN))
        if former is None and not all(entries):
            raise BorderlineError(
                f"other_run.data_folder holds an unfinished run ({_path(catalog, name)} is not in "
                f"its ledger, {dataset._path}): {remedy}"
            )
        if former is not None and ledger.is_changed(former, digest(name)):
            raise BorderlineError(
                f"{_path(catalog, name)} was changed or damaged after the other run made it: put "
                f"the original back, or {remedy}"
            )


def explain(
    error: BaseException,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    command: str,
    catalog: DataCatalog,
) -> None:
    """Raise the error again with the command, if a result cannot be read.

    Raises:
        BorderlineError: In that case.
    """
    damaged = next((cause for cause in causes(error) if isinstance(cause, DamagedFile)), None)
    if damaged is None or damaged.remedy != DamagedFile.REMEDY:
        return
    for stage, nodes in stages.items():
        for name in sorted(nodes.all_outputs()):
            place = place_of(catalog.get(name))
            if place is not None and place.holds(damaged.path):
                remedy = ledger.again(stages, running, stage, command)
                raise BorderlineError(
                    f"{damaged.sentence}: run `{remedy}` to make it again."
                ) from error


def _path(catalog: DataCatalog, name: str) -> str:
    place = place_of(catalog.get(name))
    assert place is not None, "it has a digest"
    return place.path if place.is_local else str(place.fs.unstrip_protocol(place.path))
