"""Checks that results on disk are unchanged since their nodes saved them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import ledger
from borderline.datasets.atomic import DamagedFile
from borderline.datasets.digests import digests_of, place_of
from borderline.errors import BorderlineError

SAME_IMAGES = (
    "delete source.json in 06_models/<case>/ledger if the images are still those of the last run, "
    "or move the data folder away to begin anew."
)
_OTHER_RUN, _OTHER_LEDGER = "other_run.", "other_run.ledger"


def digests_in(catalog: DataCatalog) -> ledger.Digests:
    """Gives the present digests of a dataset of the catalog."""
    return lambda name: digests_of(catalog.get(name))


def check_places(names: Iterable[str], catalog: DataCatalog) -> None:
    """Check that datasets have files where they keep files, and folders where they keep folders.

    A pipe or a device in place of a file would never end. A link to nothing, as to a disk that is
    away, would end the run when it saves.
    """
    for name in sorted(names):
        place = place_of(catalog.get(name))
        if place is None or not place.is_local:
            continue
        path = Path(place.path)
        there = next(p for p in (path, *path.parents) if p.exists() or p.is_symlink())
        if place.is_folder or there != path:
            wrong, needed = [there] * (not there.is_dir()), "folder"
        else:
            wrong, needed = [there] * (not there.is_file()), "file"
        if place.is_folder and not wrong:
            entries = there.rglob(f"*{place.suffix}") if there == path else ()
            wrong, needed = [entry for entry in entries if not entry.is_file()], "file"
        for entry in wrong[:1]:
            kind = "a folder" if entry.is_dir() else "a file"
            if not (entry.is_dir() or entry.is_file()):
                kind = "a pipe or a device" if entry.exists() else "a link to nothing"
            raise BorderlineError(
                f"{entry} is {kind}, but the run needs a {needed} of that name for {name!r}: "
                "move it away."
            )


def check_results(
    book: ledger.Ledger,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    command: str,
    asked: Pipeline,
    catalog: DataCatalog,
) -> None:
    """Check that the results of earlier runs that this run takes are unchanged."""
    from borderline.datasets import CheckpointDataset, CheckpointFolder

    digests = digests_in(catalog)
    found = ledger.changed_results(book, stages, running, asked, digests, command)
    for name, file, stage, remedy in found:
        dataset = catalog.get(name)
        first = "put the original back, or run"
        if isinstance(dataset, CheckpointFolder):
            first = f"put the original back, or {CheckpointDataset.remedy} with"
        raise BorderlineError(
            f"{_path(dataset, file)} was changed, damaged or removed after {stage} made it: "
            f"{first} `{remedy}` (keep changes of your own under another name)."
        )


def check_training(book: ledger.Ledger, running: Pipeline, catalog: DataCatalog) -> None:
    """Check that the checkpoints of a finished training are whole up to the newest one there.

    The training would continue from the newest one, and the choice of the best epoch would skip a
    missing one.
    """
    from borderline.datasets import CheckpointDataset, CheckpointFolder

    folders = {
        name: node.name
        for node in running.nodes
        # Making the datasets of nodes that have not run yet would cost a start in vain.
        if node.name in book
        for name in node.outputs
        if isinstance(catalog.get(name), CheckpointFolder)
    }
    for name, node in folders.items():
        try:
            made = ledger.entry(book, node, "").get("results", {}).get(name, {})
        except BorderlineError:
            continue  # This run writes the entry again.
        dataset = catalog.get(name)
        now = digests_of(dataset) if made else None
        reached = {file: digest for file, digest in made.items() if now and file <= max(now)}
        file = ledger.changed_file(reached, {n: d for n, d in (now or {}).items() if n in reached})
        if file is not None:
            raise BorderlineError(
                f"{_path(dataset, file)} was changed, damaged or removed after its training: put "
                f"the original back, or {CheckpointDataset.remedy}."
            )


def check_other_run(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Check that the other run of a comparison has finished, and that its results are unchanged."""
    names = sorted(name for name in pipeline.inputs() if name.startswith(_OTHER_RUN))
    if not names:
        return
    folder = _path(catalog.get(_OTHER_LEDGER))
    remedy = "run all stages in the project of that run, or copy its whole data folder again."
    book: ledger.Ledger = catalog.load(_OTHER_LEDGER) if catalog.exists(_OTHER_LEDGER) else {}
    entries = [ledger.entry(book, name, remedy, folder) for name in book]
    made = {name: digests for e in entries for name, digests in e.get("results", {}).items()}
    for name in names:
        former = made.get(name.removeprefix(_OTHER_RUN))
        if former is None and not (entries and all(entries)):
            raise BorderlineError(
                f"other_run.data_folder holds an unfinished run (its ledger {folder} has no "
                f"{name.removeprefix(_OTHER_RUN)!r}): {remedy}"
            )
        file = ledger.changed_file(former, digests_of(catalog.get(name)))
        if file is not None:
            raise BorderlineError(
                f"{_path(catalog.get(name), file)} was changed, damaged or removed after the other "
                f"run made it: put the original back, or {remedy}"
            )


def explain(
    error: BaseException,
    stages: Mapping[str, Pipeline],
    running: Pipeline,
    command: str,
    catalog: DataCatalog,
) -> None:
    """Raise one sentence, with the command that helps, if the error is about a damaged file.

    Raises:
        BorderlineError: In that case.
    """
    damaged = DamagedFile.in_error(error)
    if damaged is None:
        return
    if damaged.remedy != DamagedFile.REMEDY:
        raise damaged from error
    for stage, nodes in stages.items():
        for name in sorted(nodes.all_outputs()):
            place = place_of(catalog.get(name))
            if place is not None and place.holds(damaged.path):
                remedy = ledger.again(stages, running, stage, command)
                raise BorderlineError(
                    f"{damaged.sentence}: run `{remedy}` to make it again."
                ) from error
    raise damaged from error


def _path(dataset: Any, file: str = "") -> str:
    """The path or address of a dataset or of one of its files, for a person."""
    place = place_of(dataset)
    assert place is not None, "it has digests"
    whole = f"{place.path}/{file}" if place.is_folder and file else place.path
    return whole if place.is_local else str(place.fs.unstrip_protocol(whole))
