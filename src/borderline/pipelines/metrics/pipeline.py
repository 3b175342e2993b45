"""Stage 3: the judgement of every generator, and the choice of one for each model."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_all, for_each_generator, for_each_model, gans
from borderline.pipelines.metrics import nodes

_NETWORKS = {"lenet": "judge", "classifier": "classifier", "inception": "inception"}


def create_pipeline() -> Pipeline:
    """Describe the real images, measure each generator, compare and choose for each model."""
    layout = current()
    names = layout.generators
    trained = [name for name, placed in names.items() if placed.settings.trains]
    real = Pipeline(
        [
            Node(
                nodes.describe_real_images,
                inputs=[
                    "real_features",
                    "params:metrics",
                    "params:run",
                    *(
                        ["inception", "pair_train", "pair_test"]
                        if "inception" in layout.judges
                        else []
                    ),
                ],
                outputs="real_reference",
                name="describe_real_images",
            )
        ]
    )
    generator = Pipeline(
        [
            Node(
                nodes.measure_generator,
                inputs=[
                    "images",
                    "outcome",
                    "calibration",
                    "real_reference",
                    "model_reference",
                    "params:grid",
                    "params:metrics",
                    "params:confusion",
                    "params:run",
                    *(_NETWORKS[judge] for judge in layout.judges),
                ],
                outputs=["scores", "histogram", "features"],
                name="measure_generator",
            )
        ],
    )
    model = Pipeline(
        [
            Node(
                nodes.describe_model,
                inputs=[
                    "classifier",
                    "pair_train",
                    "pair_test",
                    "params:grid",
                    "params:metrics",
                    "params:run",
                ],
                outputs="model_reference",
                name="describe_model",
            ),
            Node(
                nodes.measure_realism,
                inputs=[
                    "real_reference",
                    "model_reference",
                    "params:grid",
                    "params:metrics",
                    "params:confusion",
                    "params:run",
                    *(f"{name}.features" for name in names),
                ],
                outputs="realism",
                name="measure_realism",
            ),
            Node(
                nodes.choose_generator,
                inputs=[
                    "realism",
                    "model_reference",
                    "calibration",
                    "params:grid",
                    "params:metrics",
                    "params:confusion",
                    *(f"{name}.scores" for name in names),
                ],
                outputs=["leaderboard", "leaderboard_figure"],
                name="choose_generator",
            ),
            Node(
                nodes.gather_epochs,
                inputs={name: f"{name}.history" for name in [*gans(), *trained]},
                outputs=["epochs", "curves_figure"],
                name="gather_epochs",
            ),
            Node(
                nodes.find_front,
                inputs=[
                    "epochs",
                    "real_features",
                    "leaderboard",
                    "params:metrics",
                    *(f"{name}.features" for name in names),
                ],
                outputs=["front", "front_figure"],
                name="find_front",
            ),
            Node(
                nodes.show_histograms,
                inputs=[
                    "leaderboard",
                    "params:confusion",
                    *(f"{name}.histogram" for name in names),
                ],
                outputs="histograms_figure",
                name="show_histograms",
            ),
            Node(
                nodes.compare_generators,
                inputs=[
                    "leaderboard",
                    "pair_train",
                    "classifier",
                    "params:confusion",
                    "params:run",
                    *(f"{name}.images" for name in names),
                ],
                outputs="generators_figure",
                name="compare_generators",
            ),
            Node(
                nodes.select_borderline,
                inputs=[
                    "leaderboard",
                    "params:confusion",
                    "params:metrics",
                    *(f"{name}.images" for name in names),
                ],
                outputs=["borderline", "borderline_figure"],
                name="select_borderline",
            ),
            Node(
                nodes.select_sampler,
                inputs=["leaderboard", *(f"{name}.sampler" for name in names)],
                outputs="sampler",
                name="select_sampler",
            ),
        ],
    )
    return (
        for_all("metrics", real)
        + for_each_generator(
            "metrics",
            lambda _: generator,
            shared=["judge", "inception", "real_reference"],
            of_model=["classifier", "calibration", "model_reference"],
        )
        + for_each_model(
            "metrics",
            model,
            shared=[
                "pair_train",
                "pair_test",
                "real_features",
                "real_reference",
                *(f"{gan}.history" for gan in gans()),
            ],
        )
    )
