"""The one place where the experiment's lists become pipelines.

An environment names its models under test and its generators (``grid`` in ``parameters.yml``). A
stage writes its nodes once, for one model or one generator, and copies them here. Datasets are
named after their model and generator, ``cnn_2.gasten_10.images``; nodes after their stage too, so
that kedro-viz folds the graph by model, stage and generator: ``cnn_2.gasten.gasten_10.train``.
"""

from __future__ import annotations

from collections.abc import Collection

from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline

from borderline.params import Params


class Grid(Params):
    """What the run is made of.

    Attributes:
        models: Names of the models under test, keys of ``models``.
        generators: Names of the generators that each model gets, keys of ``generators``.
    """

    models: tuple[str, ...]
    generators: tuple[str, ...]


# Without a context (`kedro registry list`) the stages exist, with their shared nodes only.
_current = Grid(models=(), generators=())


def current() -> Grid:
    """The grid of the present environment."""
    return _current


def use(grid: Grid) -> None:
    """Build the pipelines for this grid from now on."""
    global _current
    _current = grid
    pipelines.configure(pipelines._pipelines_module)


def for_all(stage: str, template: Pipeline) -> Pipeline:
    """The nodes that a stage has once, for all models.

    Args:
        stage: The name of the stage.
        template: Its nodes.

    Returns:
        The same nodes, folded under their stage.
    """
    return Pipeline(template, namespace=stage, prefix_datasets_with_namespace=False, tags=stage)


def for_each_model(stage: str, template: Pipeline, *, shared: Collection[str] = ()) -> Pipeline:
    """Copy a pipeline for every model under test.

    Args:
        stage: The name of the stage.
        template: Nodes for one model; ``params:model`` stands for its recipe.
        shared: Names of the inputs that all models have in common.

    Returns:
        The copies, each in the namespace of its model.
    """
    copies = Pipeline([])
    for model in _current.models:
        copies += Pipeline(
            for_all(stage, template),
            namespace=model,
            inputs=_present(shared, template),
            parameters=_parameters(template, "params:model", f"params:models.{model}"),
        )
    return copies


def for_each_generator(
    stage: str,
    template: Pipeline,
    *,
    shared: Collection[str] = (),
    of_model: Collection[str] = (),
) -> Pipeline:
    """Copy a pipeline for every generator of every model under test.

    Args:
        stage: The name of the stage.
        template: Nodes for one generator; ``params:model`` and ``params:generator`` stand for the
            recipes.
        shared: Names of the inputs that all models have in common.
        of_model: Names of the inputs that all generators of one model have in common.

    Returns:
        The copies, each in the namespace of its generator inside that of its model.
    """
    copies = Pipeline([])
    for generator in _current.generators:
        copies += Pipeline(
            template,
            namespace=generator,
            inputs=_present({*shared, *of_model}, template),
            parameters=_parameters(template, "params:generator", f"params:generators.{generator}"),
        )
    return for_each_model(stage, copies, shared=shared)


def _present(names: Collection[str], template: Pipeline) -> set[str]:
    return set(names) & template.inputs()


def _parameters(template: Pipeline, placeholder: str, recipe: str) -> dict[str, str]:
    every = {name for name in template.inputs() if name.startswith("params:")}
    return {name: recipe if name == placeholder else name for name in every}
