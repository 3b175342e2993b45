from __future__ import annotations

from typing import ClassVar

import pytest
from kedro.pipeline import Node, Pipeline

from borderline import grid
from borderline.copies import (
    for_each_gan,
    for_each_generator,
    for_each_member,
    for_each_model,
    for_each_once,
    once,
)
from borderline.errors import BorderlineError
from borderline.params import GeneratorParams, RunParams


@pytest.fixture(autouse=True)
def _two_models_and_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)


class Settings(GeneratorParams):
    """A generator that may go on from another."""

    source: str | None = None

    def variants(self) -> dict[str, Settings]:
        """One, or two where a source is named ``both``."""
        if self.source != "both":
            return {"": self}
        return {f"_{n}": self.model_copy(update={"source": n}) for n in ("x", "y")}


def lists_of(models: tuple[str, ...], generators: tuple[str, ...], runs: int = 1) -> grid.Grid:
    return grid.Grid(models=models, generators=generators, runs=runs, judges=("lenet",))


def use(monkeypatch: pytest.MonkeyPatch, *, runs: int = 1, trains_gan: bool = True) -> None:
    lists = lists_of(("a", "b"), ("x", "y"), runs)
    settings = {name: Settings(kind=f"kind of {name}") for name in lists.generators}
    layout = grid.lay_out(lists, settings, trains_gan=trains_gan)
    monkeypatch.setattr(grid, "_current", layout)


def template() -> Pipeline:
    def function(*_: object) -> int:
        return 0

    inputs = ["pair", "classifier", "params:model", "params:generator", "params:run"]
    return Pipeline([Node(function, inputs=inputs, outputs="images", name="make")])


def test_each_model_gets_its_copy() -> None:
    copies = for_each_model("stage", template(), shared=["pair"])
    assert copies.outputs() == {"a.images", "b.images"}
    assert copies.inputs() == {
        "pair",
        "a.classifier",
        "b.classifier",
        "params:models.a",
        "params:models.b",
        "params:generator",
        "params:run",
    }
    assert {node.namespace for node in copies.nodes} == {"a.stage", "b.stage"}


def test_each_generator_of_each_model_gets_its_copy() -> None:
    copies = for_each_generator(
        "stage", lambda _: template(), shared=["pair"], of_model=["classifier"]
    )
    assert copies.outputs() == {f"{m}.{g}.images" for m in "ab" for g in "xy"}
    assert {"pair", "a.classifier", "params:generators.x", "params:models.b"} <= copies.inputs()
    assert {node.namespace for node in copies.nodes} == {
        f"{m}.stage.{g}" for m in "ab" for g in "xy"
    }


def test_an_empty_grid_gives_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "_current", grid.Layout())
    assert not for_each_generator("stage", lambda _: template()).nodes


def searching(settings: GeneratorParams) -> Pipeline:
    """Goes on from step 1, and from another generator."""

    def function(*_: object) -> int:
        return 0

    inputs = ["gan.checkpoints", "x.generator", "params:run", "params:generator"]
    outputs = "generator" if settings.kind == "kind of x" else "images"
    inputs = [i for i in inputs if settings.kind != "kind of x" or i != "x.generator"]
    return Pipeline([Node(function, inputs=inputs, outputs=outputs, name="make")])


def test_each_repetition_has_its_own_step_1_seed_and_sources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, runs=2)
    copies = for_each_generator("stage", searching)
    inputs = {node.name: set(node.inputs) for node in copies.nodes}
    assert inputs["a.stage.y.make"] == {
        *("gan.checkpoints", "a.x.generator", "params:run", "params:generators.y")
    }
    assert inputs["b.stage.y_run_2.make"] == {
        *("gan_run_2.checkpoints", "b.x_run_2.generator"),
        *("params:runs.run_2", "params:generators.y_run_2"),
    }
    assert len(copies.nodes) == 2 * 2 * 2

    def function(*_: object) -> int:
        return 0

    step_1 = Pipeline([Node(function, ["noise", "params:run"], "gan.checkpoints", name="train")])
    gans = for_each_gan("stage", step_1)
    assert gans.outputs() == {"gan.checkpoints", "gan_run_2.checkpoints"}
    assert {node.name for node in gans.nodes} == {"stage.gan.train", "stage.gan_run_2.train"}
    assert gans.inputs() == {"noise", "params:run", "params:runs.run_2"}


class Once(GeneratorParams):
    """A generator that is trained once for all models."""

    trains_once: ClassVar[bool] = True

    def needs_gan(self) -> bool:
        return False


def train_and_keep(settings: GeneratorParams) -> tuple[Pipeline, Pipeline]:
    """The training that all models share, and the nodes of a model."""

    def function(*_: object) -> int:
        return 0

    so_far = once("checkpoints_so_far")
    train = Node(function, ["pair", so_far, "params:run"], "checkpoints", name="train")
    keep = Node(function, [once("checkpoints"), "params:run"], "generator", name="keep")
    return Pipeline([train]), Pipeline([keep])


def test_models_share_a_training_of_each_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    lists = lists_of(("a", "b"), ("flow",), 2)
    layout = grid.lay_out(lists, {"flow": Once(kind="k")}, trains_gan=True)
    monkeypatch.setattr(grid, "_current", layout)
    assert not layout.trains_gan
    assert layout.gans() == {"flow": -1, "flow_run_2": -2}
    shared = for_each_once("stage", lambda s: train_and_keep(s)[0])
    assert shared.outputs() == {"flow.checkpoints", "flow_run_2.checkpoints"}
    assert {node.name for node in shared.nodes} == {"stage.flow.train", "stage.flow_run_2.train"}
    assert shared.inputs() == {
        *("pair", "flow.checkpoints_so_far", "flow_run_2.checkpoints_so_far"),
        *("params:run", "params:runs.run_2"),
    }
    copies = for_each_generator("stage", lambda s: train_and_keep(s)[1])
    assert {name for name in copies.inputs() if "params" not in name} == shared.outputs()
    assert copies.outputs() == {f"{m}.{g}.generator" for m in "ab" for g in layout.once}


def test_each_shared_training_is_a_network_of_its_own() -> None:
    class Search(GeneratorParams):
        def needs_gan(self) -> bool:
            return False

        def goes_on_from(self) -> str:
            return "second"

    flows = {name: Once(kind="k") for name in ("first", "second")}
    settings = {**flows, "search": Search(kind="s"), "gan_search": GeneratorParams(kind="g")}
    layout = grid.lay_out(lists_of(("a",), tuple(settings), 2), settings, trains_gan=True)
    numbers = layout.gans()
    assert numbers["search"] == numbers["second"]
    assert numbers["gan_search"] == 1
    # Equal settings, another repetition and step 1 are other networks.
    networks = ("first", "second", "first_run_2", "second_run_2", "gan_search", "gan_search_run_2")
    assert len({numbers[name] for name in networks}) == len(networks)


def test_each_imported_generator_is_a_network_of_its_own() -> None:
    class Imported(GeneratorParams):
        has_space: ClassVar[bool] = True

        def needs_gan(self) -> bool:
            return False

    class Search(Imported):
        has_space: ClassVar[bool] = False

        def goes_on_from(self) -> str:
            return "theirs"

    class Blends(Search):
        def goes_on_from(self) -> None:
            return None

    kinds = {"theirs": Imported, "other": Imported, "search": Search, "blends": Blends}
    settings = {name: kind(kind="k") for name, kind in kinds.items()}
    numbers = grid.lay_out(lists_of(("a",), tuple(settings), 2), settings, trains_gan=True).gans()
    # A repetition is the same file.
    assert numbers["theirs"] == numbers["search"] == numbers["search_run_2"]
    assert numbers["theirs"] == numbers["theirs_run_2"] < 0
    assert numbers["blends"] == 0
    assert len({numbers[name] for name in ("theirs", "other", "blends")}) == 3


def test_shared_generator_has_no_name_of_a_model() -> None:
    lists = lists_of(("a", "flow_run_2"), ("flow",), 2)
    with pytest.raises(BorderlineError, match=r"both have the name 'flow_run_2'.*rename"):
        grid.lay_out(lists, {"flow": Once(kind="k")}, trains_gan=True)


def test_given_step_1_takes_the_place_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, runs=2, trains_gan=False)
    copies = for_each_generator("stage", searching)
    assert {name for name in copies.inputs() if "param" not in name} == {"step_1_checkpoints"}
    assert not for_each_gan("stage", template()).nodes


def test_variants_and_repetitions_are_generators_of_their_own() -> None:
    lists = lists_of(("a",), ("one", "two"), 2)
    settings = {"one": Settings(kind="k"), "two": Settings(kind="k", source="both")}
    layout = grid.lay_out(lists, settings, trains_gan=True)
    assert list(layout.generators) == [
        *("one", "two_x", "two_y", "one_run_2", "two_x_run_2", "two_y_run_2")
    ]
    assert layout.generators["two_y_run_2"].settings.source == "y"
    run = RunParams(seed=5, device="cpu")
    (other,) = grid.seeds(lists, run).values()
    assert other.seed != run.seed
    assert grid.seeds(lists, run) == grid.seeds(lists, run)


class Alone(GeneratorParams):
    """A generator that needs no step 1."""

    def needs_gan(self) -> bool:
        return False


def test_step_1_is_left_out_where_no_generator_needs_it() -> None:
    lists = lists_of(("a",), ("x", "y"))
    settings: dict[str, GeneratorParams] = {"x": Alone(kind="x"), "y": Alone(kind="y")}
    assert not grid.lay_out(lists, settings, trains_gan=True).trains_gan
    settings["y"] = Settings(kind="y")
    assert grid.lay_out(lists, settings, trains_gan=True).trains_gan
    assert not grid.lay_out(lists, settings, trains_gan=False).trains_gan


def judges() -> Pipeline:
    """The training of a judge and the choice of its best epoch."""

    def function(*_: object) -> int:
        return 0

    train = ["source", "judge_checkpoints_so_far", "params:judge", "params:member"]
    return Pipeline(
        [
            Node(function, train, "judge_checkpoints", name="train"),
            Node(function, ["judge_checkpoints", "source"], "judge", name="keep"),
        ]
    )


def test_each_member_of_the_committee_has_its_own_datasets_and_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grid, "_current", grid.Layout(members=tuple(grid.committee(2))))
    copies = for_each_member("stage", judges())
    assert {node.name for node in copies.nodes} == {
        *("stage.train", "stage.keep", "stage.judge_2.train", "stage.judge_2.keep")
    }
    assert copies.outputs() == {"judge", "judge_2"}
    assert copies.datasets() - copies.inputs() - copies.outputs() == {
        *("judge_checkpoints", "judge_2_checkpoints")
    }
    assert copies.inputs() == {
        *("source", "judge_checkpoints_so_far", "judge_2_checkpoints_so_far"),
        *("params:judge", "params:members.judge", "params:members.judge_2"),
    }
    monkeypatch.setattr(grid, "_current", grid.Layout(members=()))
    assert not for_each_member("stage", judges()).nodes


def test_only_some_of_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = for_each_model("stage", template(), models=["b"])
    assert copies.outputs() == {"b.images"}
    layout = grid.Layout(models=("a", "b", "c", "d"), imported=("b",), repaired={"d": "a"})
    assert layout.trained == ("a", "c")
