"""Stage 3: the judgement of every generator, and the choice of one for each model."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from borderline.grid import current, for_each_generator, for_each_model
from borderline.pipelines.metrics import nodes


def create_pipeline() -> Pipeline:
    """Score each generator, then choose one of each model's."""
    generator = Pipeline(
        [
            Node(
                nodes.measure_generator,
                inputs=[
                    "images",
                    "outcome",
                    "judge",
                    "real_features",
                    "params:metrics",
                    "params:confusion",
                    "params:run",
                ],
                outputs=["scores", "histogram", "histogram_figure"],
                name="measure_generator",
            )
        ],
    )
    names = current().generators
    model = Pipeline(
        [
            Node(
                nodes.choose_generator,
                inputs=["params:grid", "params:metrics", *(f"{name}.scores" for name in names)],
                outputs="leaderboard",
                name="choose_generator",
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
        ],
    )
    return for_each_generator(
        "metrics", lambda _: generator, shared=["judge", "real_features"]
    ) + for_each_model("metrics", model, shared=["pair_train"])
