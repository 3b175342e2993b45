"""Stage 3: measures all generators, and chooses one for each model."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from borderline.copies import for_all, for_each_generator, for_each_model, gans
from borderline.grid import current, node
from borderline.pipelines.metrics import nodes

_NETWORKS = {"lenet": "judge", "classifier": "classifier", "inception": "inception"}


def create_pipeline() -> Pipeline:
    """Describe the real images, measure each generator, compare and choose for each model."""
    layout = current()
    shared = _datasets("history_table", *gans(), *layout.once)
    trained = [name for name, placed in layout.generators.items() if placed.settings.trains]
    histories = shared | _datasets("history_table", *trained)

    def of_generators(dataset: str) -> dict[str, str]:
        return _datasets(dataset, *layout.generators)

    settings = {f"{name}.settings": f"params:generators.{name}" for name in layout.generators}
    needed = ["inception", "pair_train", "pair_test"] if "inception" in layout.judges else []
    needed += ["real_statistics"] if needed and "inception" in layout.epoch_judges else []
    real = node(nodes.describe_real_images, "real_reference", more={name: name for name in needed})
    # The LeNet's features of all classes, if they are there already.
    known = {"real_statistics": "real_statistics"} if layout.epoch_reference == "all" else {}
    of_front = "model_statistics" if layout.front == "fd_classifier" else "real_statistics"
    usual = layout.front == "fd_lenet" and layout.epoch_reference == "pair"
    front = {} if usual else {"statistics": of_front}
    generator = node(
        nodes.measure_generator,
        ["scores_table", "histogram_table", "features"],
        more={judge: _NETWORKS[judge] for judge in layout.judges},
    )
    model = Pipeline(
        [
            node(nodes.describe_model, "model_reference"),
            node(nodes.measure_realism, "realism_table", more=of_generators("features")),
            node(
                nodes.choose_generator,
                ["leaderboard_table", "leaderboard_chart"],
                more=of_generators("scores_table") | settings,
            ),
            node(nodes.gather_epochs, ["epochs_table", "curves_chart"], more=histories),
            node(
                nodes.find_front,
                ["front_table", "front_chart"],
                more=of_generators("features") | front,
            ),
            node(nodes.show_histograms, "histograms_chart", more=of_generators("histogram_table")),
            node(nodes.compare_generators, "generators_figure", more=of_generators("images")),
            node(
                nodes.select_borderline,
                ["borderline", "borderline_figure"],
                more=of_generators("images"),
            ),
            node(nodes.judge_borderline, ["opinions", "verdicts_table"]),
            node(nodes.select_sampler, "sampler", more=of_generators("sampler")),
        ]
    )
    return (
        for_all("metrics", Pipeline([real, node(nodes.measure_held_out, "held_out", more=known)]))
        + for_each_generator(
            "metrics",
            lambda _: Pipeline([generator]),
            shared=["judge", "inception", "real_reference"],
            of_model=["classifier", "boundary", "calibration_table", "model_reference"],
        )
        + for_each_model(
            "metrics",
            model,
            shared=[
                *("pair_train", "pair_test", "pair_names", "real_features", "real_reference"),
                "real_statistics",
                *("source", "judge", "committee", "held_out"),
                *shared,
            ],
        )
    )


def _datasets(name: str, *sources: str) -> dict[str, str]:
    return {dataset: dataset for dataset in (f"{source}.{name}" for source in sources)}
