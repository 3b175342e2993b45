from __future__ import annotations

from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from borderline import ledger
from borderline.errors import BorderlineError
from borderline.hooks.preflight import PreflightHooks
from borderline.params import Mark, RunParams


def node(name: str, takes: list[str], *parameters: str) -> Node:
    inputs = [*takes, *(f"params:{parameter}" for parameter in parameters)]
    return Node(lambda *_: 1, inputs=inputs, outputs=f"{name}_out", name=name)


# Two models that share a first node; their stages only meet at the end.
STAGES = {
    "one": Pipeline([node("shared", [], "run", "models.a")]),
    "two": Pipeline(
        [node("a", ["shared_out"], "run", "band"), node("b", ["shared_out"], "run", "band")]
    ),
    "three": Pipeline([node("page", ["a_out", "b_out"], "trials")]),
}
ROAD = sum(STAGES.values(), Pipeline([]))
SETTINGS: dict[str, Any] = {
    "run": RunParams(seed=0, device="cpu").plain(Mark.NO_RESULT),
    "models": {"a": {"filters": 2}, "b": {"filters": 3}},
    "band": 0.1,
    "trials": 5,
}


class Disk(dict[str, ledger.Entry]):
    """The entries of runs so far, as the catalog keeps them, and digests of the results."""

    def __init__(self) -> None:
        super().__init__()
        self.earlier: dict[str, object] = {}
        self.files = {
            f"{name}_out": {"file": f"sha256:{name}"} for name in ("shared", "a", "b", "page")
        }

    def open(self, *names: str) -> None:
        self |= ledger.opened(self.loaded(), STAGES, ROAD.only_nodes(*names))

    def close(self, *names: str, **changed: object) -> None:
        self |= ledger.closed(ROAD.only_nodes(*names), SETTINGS | changed, self.files.get)

    def check(self, *names: str, **changed: object) -> None:
        running = ROAD.only_nodes(*names) if names else Pipeline([])
        now = SETTINGS | changed
        ledger.check(self.loaded(), STAGES, running, now, "kedro run", earlier=self.earlier)

    def unfinished(self, missing: str = "", **changed: object) -> list[str]:
        now, there = SETTINGS | changed, missing.__ne__
        return ledger.unfinished(
            self.loaded(), ROAD, now, there, self.files.get, earlier=self.earlier
        )

    def changed(
        self, *names: str, asked: Pipeline | None = None
    ) -> list[tuple[str, str, str, str]]:
        running = ROAD.only_nodes(*names) if names else Pipeline([])
        args = (STAGES, running, asked or running, self.files.get, "kedro run")
        return list(ledger.changed_results(self.loaded(), *args))

    def loaded(self) -> ledger.Ledger:
        return {name: lambda entry=entry: entry for name, entry in self.items()}


@pytest.fixture
def disk() -> Disk:
    """After a run of the whole road."""
    made = Disk()
    made.close("shared", "a", "b", "page")
    return made


def test_an_entry_has_the_seconds_of_its_node_where_they_are_known() -> None:
    made = ledger.closed(ROAD.only_nodes("a", "b"), SETTINGS, lambda _: None, {}, {"a": 1.23456})
    assert made["a"]["seconds"] == 1.235
    assert "seconds" not in made["b"]


def test_the_clock_of_a_node_runs_until_its_last_dataset_is_saved() -> None:
    hooks, (node,) = PreflightHooks(), ROAD.only_nodes("a").nodes
    hooks.after_dataset_saved(node)
    assert hooks._seconds == {}, "another process has started the node"
    hooks.before_node_run(node, DataCatalog())
    seconds = []
    for _ in range(2):
        hooks.after_dataset_saved(node)
        seconds.append(hooks._seconds["a"])
    assert 0 <= seconds[0] <= seconds[1] < 60


def test_an_entry_has_the_settings_of_its_node_and_digests_of_its_results(disk: Disk) -> None:
    """The device is no such setting."""
    assert disk["shared"] == {
        "settings": {"run.seed": 0, "models.a.filters": 2},
        "inputs": {},
        "results": {"shared_out": {"file": "sha256:shared"}},
    }
    assert set(disk["page"].pop("inputs")) == {"a_out", "b_out"}
    assert disk["page"] == {
        "settings": {"trials": 5},
        "results": {"page_out": {"file": "sha256:page"}},
    }


def test_what_comes_from_elsewhere_is_a_setting_of_the_node_that_takes_it() -> None:
    given = {"a_out": "folder", "a_out.code": "1f", "other": "folder", "other.code": "2e"}
    assert ledger.settings_of(STAGES["three"].nodes[0], SETTINGS, given) == {
        "a_out": "folder",
        "a_out.code": "1f",
        "trials": 5,
    }


def test_the_nodes_of_a_model_do_not_depend_on_the_other_models() -> None:
    settings = {"grid": {"models": ["cnn", "mlp"], "runs": 1}}
    of_model = ledger.settings_of(node("cnn.metrics.measure", [], "grid"), settings)
    assert of_model == {"grid.runs": 1}
    of_all = ledger.settings_of(node("report.summarise", [], "grid"), settings)
    assert of_all == {"grid.models": ["cnn", "mlp"], "grid.runs": 1}


def test_what_a_run_takes_must_have_been_made_with_its_settings(disk: Disk) -> None:
    disk.check("page")
    disk.check("page", run=RunParams(seed=0, device="cuda").plain(Mark.NO_RESULT))
    disk.check("page", trials=9)
    disk.check("a", "b", "page", band=0.3)
    message = r"band is 0.3, but two last ran with 0.1.*`kedro run --pipelines two,three`"
    with pytest.raises(BorderlineError, match=message):
        disk.check("page", band=0.3)
    with pytest.raises(BorderlineError, match=message):
        disk.check("b", "page", band=0.3)
    with pytest.raises(BorderlineError, match=r"models\.a\.filters is 9"):
        disk.check("a", models={"a": {"filters": 9}})


def test_a_setting_that_came_later_counts_as_its_usual_value(disk: Disk) -> None:
    settings = SETTINGS | {"models": {"a": {"filters": 2, "new": 0}}}

    def check(**earlier: int) -> None:
        running = ROAD.only_nodes("a")
        ledger.check(disk.loaded(), STAGES, running, settings, "kedro run", {}, earlier)

    disk.close("shared")
    check(**{"models.a.new": 0})
    with pytest.raises(
        BorderlineError, match=r"models\.a\.new is 0, but one last ran without this setting: run"
    ):
        check()
    disk.close("shared", models={"a": {"filters": 2, "new": 1}})
    with pytest.raises(BorderlineError, match=r"models\.a\.new is 0, but one last ran with 1"):
        check(**{"models.a.new": 0})


def test_a_group_of_settings_that_is_taken_away_is_a_change(disk: Disk) -> None:
    disk.close("shared", "a", "b", band={"by": "judge", "keep": 0.5})
    with pytest.raises(BorderlineError, match=r"band.by is None, but two last ran with 'judge'"):
        disk.check("page", band=None)
    with pytest.raises(BorderlineError, match=r"band.keep is None, but two last ran with 0.5"):
        disk.check("page", band={"by": "judge"})
    disk.close("page", band={"by": "judge", "keep": 0.5})
    assert disk.unfinished(band={"by": "judge", "keep": 0.5}) == []
    assert disk.unfinished(band=None) == ["a", "b", "page"]


def test_a_node_that_runs_again_takes_those_after_it_off_the_ledger(disk: Disk) -> None:
    disk.open("a")
    assert [name for name, entry in disk.items() if entry] == ["shared", "b"]
    with pytest.raises(BorderlineError, match="results of two are not from a finished run"):
        disk.check("page")
    disk.close("a")
    disk.check("page")
    with pytest.raises(BorderlineError, match="one,two,three"):
        Disk().check("page")
    with pytest.raises(BorderlineError, match="results of two"):
        disk.check("shared", "page")


def test_parts_that_ran_one_after_the_other_make_the_whole() -> None:
    disk = Disk()
    for part in ("shared", "a", "b", "page"):
        disk.check(part)
        disk.open(part)
        disk.close(part)
    assert set(disk) == {"shared", "a", "b", "page"}
    disk.close("a", band=0.3)
    with pytest.raises(BorderlineError, match=r"band is 0\.1, but two last ran with 0\.3"):
        disk.check("page")


def test_a_part_does_not_wait_for_what_it_does_not_take(disk: Disk) -> None:
    disk.open("b")
    disk.check("a")
    with pytest.raises(BorderlineError, match="results of two"):
        disk.check("a", "page")


def test_the_whole_road_and_no_node_need_no_check() -> None:
    Disk().check("shared", "a", "b", "page", band=7)
    Disk().check()


def test_a_changed_result_is_found_where_a_run_takes_it(disk: Disk) -> None:
    disk.files["a_out"] = {"file": "sha256:other"}
    assert disk.changed("page") == [("a_out", "file", "two", "kedro run --pipelines two,three")]
    assert disk.changed("a", "b", "page") == [], "this run makes it again"
    assert disk.changed("b") == [], "this run does not take it"


def test_nodes_without_finished_results_run_and_those_after_them(disk: Disk) -> None:
    assert disk.unfinished() == []
    assert disk.unfinished(trials=6) == ["page"]
    assert set(disk.unfinished(band=0.3)) == {"a", "b", "page"}
    assert disk.unfinished(models=SETTINGS["models"] | {"a": {"filters": 9}})[0] == "shared"
    assert disk.unfinished(missing="page_out") == ["page"]
    assert disk.unfinished(missing="a_out") == ["a", "page"]
    disk.open("b")
    assert disk.unfinished() == ["b", "page"]
    assert set(Disk().unfinished()) == {"shared", "a", "b", "page"}


def test_nodes_whose_inputs_were_made_again_or_changed_by_name_are_unfinished(disk: Disk) -> None:
    """Another run made them, with other settings, and not this node."""
    disk.files["shared_out"] = {"file": "sha256:other"}
    disk.close("shared")
    assert set(disk.unfinished()) == {"a", "b", "page"}
    disk.close("a", "b")
    assert disk.unfinished() == []
    disk["page"]["inputs"]["dropped"] = ""
    assert disk.unfinished() == ["page"]
    del disk["page"]["inputs"]
    assert disk.unfinished() == ["page"], "an entry of an earlier version"


def test_a_setting_that_came_later_makes_no_node_unfinished(disk: Disk) -> None:
    for entry in disk.values():
        entry["settings"].pop("band", None)
    assert set(disk.unfinished()) == {"a", "b", "page"}
    disk.earlier = {"band": 0.1}
    assert disk.unfinished() == []


def test_only_missing_outputs_take_all_others_for_good(disk: Disk) -> None:
    disk.files["a_out"] = {"file": "sha256:other"}
    command = "kedro run --pipelines two,three"
    assert disk.changed(asked=ROAD) == [("a_out", "file", "two", command)]
    assert disk.changed("page", asked=ROAD) == [("a_out", "file", "two", command)]
    assert disk.changed(asked=STAGES["two"]) == [("a_out", "file", "two", command[:-6])]


@pytest.mark.parametrize("now", [None, {"file": "bucket:9:a"}, {"file": "sha256:a"}])
def test_a_missing_result_and_a_copy_from_a_bucket_are_no_changed_ones(
    disk: Disk, now: dict[str, str] | None
) -> None:
    disk.files["a_out"] = now  # type: ignore[assignment]
    assert disk.changed("page") == []


def test_ledgers_of_earlier_versions_have_no_digests(disk: Disk) -> None:
    del disk["a"]["results"]
    disk.files["a_out"] = {"file": "sha256:other"}
    assert disk.changed("page") == []
    disk.check("page")


@pytest.mark.parametrize("damaged", [[], None, "text", {"settings": []}, {"results": "text"}])
def test_a_damaged_entry_is_one_sentence_with_the_command(disk: Disk, damaged: Any) -> None:
    disk["a"] = damaged
    message = "entry 'a' of the ledger is damaged: run `kedro run --pipelines two,three`"
    with pytest.raises(BorderlineError, match=message):
        disk.check("page")
    with pytest.raises(BorderlineError, match=message):
        disk.changed("page")
    with pytest.raises(BorderlineError, match="run without --only-missing-outputs"):
        disk.unfinished()
    disk.check("a", "b", "page")


@pytest.mark.parametrize("now", [{}, {"1": "sha256:a"}, {"2": "sha256:b", "3": "sha256:c"}])
def test_the_file_of_a_folder_is_named_that_is_missing_or_too_much(now: dict[str, str]) -> None:
    assert ledger.changed_file({"1": "sha256:a", "2": "sha256:b"}, now) == (
        "2" if "1" in now else "1"
    )
    assert ledger.changed_file({"2": "sha256:b"}, {**now, "2": "sha256:b", "0": "x"}) == "0"
    assert ledger.changed_file(7, {"1": "sha256:a"}) == "1"


def test_a_setting_that_came_later_had_the_default_of_its_field(disk: Disk) -> None:
    for entry in disk.values():
        entry["settings"].pop("band", None)
    with pytest.raises(
        BorderlineError, match=r"band is 0\.1, but two last ran without this setting: run"
    ):
        disk.check("page")
    disk.earlier = {"band": 0.1}
    disk.check("page")
    with pytest.raises(BorderlineError, match=r"band is 0\.3, but two last ran with 0\.1"):
        disk.check("page", band=0.3)
