"""Results on disk are checked before a run uses them; a damaged file is named with the command."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro_datasets.partitions import PartitionedDataset

from borderline import ledger
from borderline.datasets import CheckpointFolder, CSVDataset, JSONDataset
from borderline.datasets.atomic import damaged
from borderline.errors import BorderlineError
from borderline.preflight import results
from borderline.preflight.inputs import check_inputs
from conftest import reporting_folder, run_here

STAGES = {
    "one": Pipeline([Node(lambda: 1, None, ["made", "checkpoints"], name="one")]),
    "two": Pipeline([Node(lambda *_: 1, ["made", "checkpoints"], "page", name="two")]),
    "compare": Pipeline([Node(lambda _: 1, "other_run.made", "comparison", name="compare")]),
}


@pytest.fixture
def catalog(tmp_path: Path) -> DataCatalog:
    """Two data folders after a finished run of the stage ``one``, with their ledgers."""

    def of(name: str) -> dict[str, Any]:
        folder = tmp_path / name
        checkpoint = {"epoch": 1, "settings": {}, "history": [], "state": {}}
        made: dict[str, Any] = {
            "made": JSONDataset(filepath=str(folder / "made.json")),
            "checkpoints": CheckpointFolder(path=str(folder / "checkpoints")),
            "page": JSONDataset(filepath=str(folder / "page.json")),
            "ledger": PartitionedDataset(
                path=str(folder / "ledger"), dataset=JSONDataset, filename_suffix=".json"
            ),
        }
        made["made"].save({"x": list(range(9))})
        made["checkpoints"].save({f"epoch_000{n}": checkpoint for n in (1, 2)})
        digests = results.digests_in(DataCatalog(made))
        made["ledger"].save(ledger.closed(STAGES["one"], {}, digests))
        return made

    other = {f"other_run.{name}": dataset for name, dataset in of("other").items()}
    return DataCatalog({**of("mine"), **other})


def check(catalog: DataCatalog, running: Pipeline = STAGES["two"]) -> None:
    book = catalog.load("ledger")
    results.check_results(book, STAGES, running, "kedro run", running, catalog)


def test_a_changed_result_stops_the_run_that_takes_it(catalog: DataCatalog, tmp_path: Path) -> None:
    check(catalog)
    os.truncate(tmp_path / "mine/made.json", 5)
    with pytest.raises(BorderlineError) as caught:
        check(catalog)
    assert str(caught.value) == (
        f"{tmp_path}/mine/made.json was changed, damaged or removed after one made it: put the "
        "original back, or run `kedro run --pipelines one,two` (keep changes of your own under "
        "another name)."
    )
    check(catalog, Pipeline([*STAGES["one"].nodes, *STAGES["two"].nodes]))


def test_the_checkpoint_is_named_and_what_to_delete(catalog: DataCatalog, tmp_path: Path) -> None:
    (tmp_path / "mine/checkpoints/epoch_0001.pt").unlink()
    message = r"checkpoints/epoch_0001\.pt was changed, .* delete it and all later ones .* `kedro"
    with pytest.raises(BorderlineError, match=message):
        check(catalog)


@pytest.mark.parametrize(("removed", "named"), [(1, "epoch_0001"), (2, None), (12, None)])
def test_a_training_does_not_go_on_over_a_gap(
    catalog: DataCatalog, tmp_path: Path, removed: int, named: str | None
) -> None:
    for number in str(removed):
        (tmp_path / f"mine/checkpoints/epoch_000{number}.pt").unlink()
    book = catalog.load("ledger")
    if named is None:
        results.check_training(book, STAGES["one"], catalog)
        return
    with pytest.raises(BorderlineError, match=rf"{named}\.pt was changed, .* delete it and all"):
        results.check_training(book, STAGES["one"], catalog)
    (tmp_path / "mine/ledger/one.json").write_text("{")
    results.check_training(book, STAGES["one"], catalog)


def test_another_run_vouches_for_its_own_files(catalog: DataCatalog, tmp_path: Path) -> None:
    pipeline, folder = STAGES["compare"], tmp_path / "other"
    results.check_other_run(pipeline, catalog)
    entry, made = folder / "ledger/one.json", folder / "made.json"
    before = entry.read_text(), made.read_text()
    made.write_text("{}")
    with pytest.raises(BorderlineError, match=f"{made} was changed, .* other run made it"):
        results.check_other_run(pipeline, catalog)
    made.write_text(before[1])
    for content, words in (("{}", "unfinished run"), ("", f"'one' of the ledger {entry.parent}")):
        entry.write_text(content)
        with pytest.raises(BorderlineError, match=words):
            results.check_other_run(pipeline, catalog)
    shutil.rmtree(folder / "ledger")
    catalog.release("other_run.ledger")
    with pytest.raises(BorderlineError, match="unfinished run"):
        results.check_other_run(pipeline, catalog)


def test_runs_of_earlier_versions_are_compared_as_ever(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    (tmp_path / "other/ledger/one.json").write_text('{"settings": {"x": 1}}')
    results.check_other_run(STAGES["compare"], catalog)


@pytest.mark.parametrize(
    ("place", "kind"),
    [("page.json", "folder"), ("ledger/two.json", "folder"), ("checkpoints", "file")],
)
def test_a_folder_where_a_file_is_saved_is_said_first(
    catalog: DataCatalog, tmp_path: Path, place: str, kind: str
) -> None:
    road = Pipeline([*STAGES["one"].nodes, *STAGES["two"].nodes])
    names = {"ledger", *road.datasets()}
    results.check_places(names, catalog)
    path = tmp_path / "mine" / place
    shutil.rmtree(path, ignore_errors=True)
    path.touch() if kind == "file" else path.mkdir()
    with pytest.raises(BorderlineError, match=f"{path} is a {kind}, but .*: move it away"):
        results.check_places(names, catalog)


@pytest.mark.parametrize("place", ["page.json", "checkpoints", "ledger"])
def test_a_link_to_nothing_is_said_before_the_run(
    catalog: DataCatalog, tmp_path: Path, place: str
) -> None:
    road = Pipeline([*STAGES["one"].nodes, *STAGES["two"].nodes])
    path = tmp_path / "mine" / place
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to(tmp_path / "a disk that is away")
    with pytest.raises(BorderlineError, match=f"{path} is a link to nothing, but the run needs"):
        results.check_places({"ledger", *road.datasets()}, catalog)


def test_the_command_for_a_missing_result_runs_the_stages_between_too(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    (tmp_path / "mine/made.json").unlink()
    last = Pipeline([Node(lambda *_: 1, ["made", "page"], "shown", name="last")])
    catalog.save("page", 1)
    with pytest.raises(BorderlineError, match="`kedro run --pipelines one,two,last`"):
        check_inputs(
            last,
            catalog,
            {"one": STAGES["one"], "two": STAGES["two"], "last": last},
            ["last"],
            "kedro run",
        )


def test_a_pipe_in_place_of_a_result_that_a_run_takes_is_never_opened(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    path = tmp_path / "mine/made.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(
        BorderlineError, match=f"{path} is a pipe or a device, but .*: move it away"
    ):
        results.check_places(STAGES["two"].datasets(), catalog)


def test_a_file_that_is_damaged_in_a_run_is_told_with_the_command(
    catalog: DataCatalog, tmp_path: Path
) -> None:
    made = STAGES, STAGES["two"], "kedro run"
    (tmp_path / "mine/made.json").write_text("{")
    with pytest.raises(DatasetError) as caught:
        catalog.load("made")
    with pytest.raises(BorderlineError, match=r"made\.json is damaged .* `kedro run --pipelines o"):
        results.explain(caught.value, *made, catalog)
    results.explain(ValueError("a bug"), *made, catalog)
    elsewhere = damaged(str(tmp_path / "images.csv"), ValueError("a"), "replace it")
    with pytest.raises(BorderlineError, match=r"images\.csv is damaged .*\(a\): replace it\."):
        results.explain(elsewhere, *made, catalog)


def test_errors_of_other_processes_have_no_causes(catalog: DataCatalog, tmp_path: Path) -> None:
    (tmp_path / "mine/made.json").write_text("{")
    with pytest.raises(DatasetError) as caught:
        catalog.load("made")
    error = DatasetError(str(caught.value))
    with pytest.raises(BorderlineError, match=r"^The file .*/made\.json is damaged .* `kedro run"):
        results.explain(error, STAGES, STAGES["two"], "kedro run", catalog)


@pytest.mark.road
def test_a_table_cut_in_half_stops_the_report(short: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(short, tmp_path / "project"))
    table = reporting_folder(project) / "cnn_1/leaderboard.csv"
    os.truncate(table, table.stat().st_size // 2)
    assert len(CSVDataset(filepath=str(table)).load()) > 0, "half a table is a table"
    for arguments in (("--pipelines", "report"), ("--only-missing-outputs",)):
        result = run_here(project, "--env", "test", *arguments)
        assert result.exit_code == 1
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert f"{table} was changed, damaged or removed after metrics made it" in errors[0]
        assert "kedro run --env test --pipelines metrics,clustering,prototypes,report" in errors[0]
