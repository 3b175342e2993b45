"""Copies of a stage's nodes, for each model, generator and GAN of the grid.

The names of datasets begin with model and generator, ``cnn_2.gasten_10.images``. The names of
nodes contain the stage too, so that kedro-viz folds the graph by model, stage and generator:
``cnn_2.gasten.gasten_10.train_generator``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from kedro.pipeline import Pipeline

from borderline.grid import GAN, GIVEN_STEP_1, JUDGE, current, repeated
from borderline.params import GeneratorParams
from borderline.seeds import run_of

_ONCE = "_once"


def gans() -> list[str]:
    """The GANs of step 1 that are trained here, one per repetition."""
    return _gan_names() if current().trains_gan else []


def for_all(stage: str, template: Pipeline) -> Pipeline:
    """The nodes that all models share, folded under their stage."""
    return Pipeline(template, namespace=stage, prefix_datasets_with_namespace=False, tags=stage)


def for_each_gan(stage: str, template: Pipeline) -> Pipeline:
    """Copy a pipeline for every repetition of step 1; no copies if its checkpoints are given."""
    copies = [
        Pipeline(
            template,
            namespace=name,
            prefix_datasets_with_namespace=False,
            inputs=_of_run(template.inputs(), run),
            outputs=_of_run(template.outputs(), run),
            parameters=_parameters(template, {"params:run": _run_parameters(run, step_2=False)}),
        )
        for run, name in enumerate(gans(), start=1)
    ]
    return for_all(stage, Pipeline(copies))


def once(dataset: str) -> str:
    """The dataset of a generator that is trained once for all models, in the nodes of a model."""
    return f"{_ONCE}.{dataset}"


def for_each_once(stage: str, template: Callable[[GeneratorParams], Pipeline]) -> Pipeline:
    """Copy a pipeline for every generator that is trained once for all models.

    Args:
        stage: The name of the stage.
        template: Makes the nodes for one generator from its settings. Its outputs, and the inputs
            that :func:`once` names, get the name of the generator.
    """
    copies = []
    for name, (settings, run) in current().once.items():
        nodes = template(settings)
        recipes = {
            "params:generator": f"params:generators.{name}",
            "params:run": _run_parameters(run, step_2=False),
        }
        copy = Pipeline(
            nodes,
            namespace=name,
            prefix_datasets_with_namespace=False,
            inputs=_of_once(nodes.inputs(), name),
            outputs={n: f"{name}.{n}" for n in nodes.outputs()},
            parameters=_parameters(nodes, recipes),
        )
        copies.append(copy)
    return for_all(stage, Pipeline(copies))


def for_each_member(stage: str, template: Pipeline) -> Pipeline:
    """Copy the pipeline of the judge for every member of the committee.

    Datasets called ``judge`` and ``judge_<name>`` become ``judge_2`` and ``judge_2_<name>``;
    ``params:member`` stands for the number of the member.
    """
    copies = []
    for member in current().members:
        parameters = _parameters(template, {"params:member": f"params:members.{member}"})
        if member == JUDGE:
            copies.append(Pipeline(template, parameters=parameters))
            continue
        names = {n: n.replace(JUDGE, member, 1) for n in template.datasets() if _is_judge(n)}
        copy = Pipeline(
            template,
            namespace=member,
            prefix_datasets_with_namespace=False,
            inputs={name: new for name, new in names.items() if name in template.inputs()},
            outputs={name: new for name, new in names.items() if name not in template.inputs()},
            parameters=parameters,
        )
        copies.append(copy)
    return for_all(stage, Pipeline(copies))


def for_each_model(
    stage: str,
    template: Pipeline,
    *,
    shared: Collection[str] = (),
    models: Collection[str] | None = None,
) -> Pipeline:
    """Copy a pipeline for every model under test; ``None`` for ``models`` means all.

    ``params:model`` stands for the settings of the model; all models share the inputs ``shared``.
    """
    folded = for_all(stage, template)
    copies = [
        Pipeline(
            folded,
            namespace=model,
            inputs=set(shared) & template.inputs(),
            parameters=_parameters(template, {"params:model": f"params:models.{model}"}),
        )
        for model in (current().models if models is None else models)
    ]
    return Pipeline(copies)


def for_each_generator(
    stage: str,
    template: Callable[[GeneratorParams], Pipeline],
    *,
    shared: Collection[str] = (),
    of_model: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Pipeline:
    """Copy a pipeline for every generator of every model under test.

    Args:
        stage: The name of the stage.
        template: Makes the nodes for one generator from its settings; ``params:model`` and
            ``params:generator`` stand for the settings of both, ``gan.<dataset>`` for the datasets
            of step 1, ``<name>.<dataset>`` for those of another generator of the same model, and
            :func:`once` for those of its own that are made once for all models.
        shared: Names of the inputs that all models share.
        of_model: Names of the inputs that all generators of a model share.
        only: The generators; ``None`` means all.
    """
    of_one, of_all = [], set[str]()
    for name in current().generators if only is None else only:
        settings, run = current().generators[name]
        nodes = template(settings)
        inputs = {i: i for i in {*shared, *of_model} & nodes.inputs()}
        recipes = {
            "params:generator": f"params:generators.{name}",
            "params:run": _run_parameters(run, step_2=True),
        }
        of_run = _of_run({i for i in nodes.inputs() if _is_dotted(i)}, run)
        made_once = _of_once(nodes.inputs(), name)
        copy = Pipeline(
            nodes,
            namespace=name,
            inputs=inputs | of_run | made_once,
            parameters=_parameters(nodes, recipes),
        )
        of_one.append(copy)
        of_all |= {*made_once.values()}
    copies = Pipeline(of_one)
    of_gans = {i for i in copies.inputs() if i.partition(".")[0] in {GIVEN_STEP_1, *_gan_names()}}
    return for_each_model(stage, copies, shared={*shared, *of_gans, *of_all})


def _gan_names() -> list[str]:
    return [repeated(GAN, run) for run in range(1, current().runs + 1)]


def _is_dotted(name: str) -> bool:
    return "." in name and not name.startswith("params:")


def _of_once(names: Collection[str], generator: str) -> dict[str, str]:
    prefix = once("")
    return {n: f"{generator}.{n.removeprefix(prefix)}" for n in names if n.startswith(prefix)}


def _is_judge(name: str) -> bool:
    return name == JUDGE or name.startswith(f"{JUDGE}_")


def _of_run(names: Collection[str], run: int) -> dict[str, str]:
    mapping = {}
    for name in names:
        owner, _, dataset = name.partition(".")
        mapping[name] = f"{repeated(owner, run)}.{dataset}" if _is_dotted(name) else name
    if not current().trains_gan and f"{GAN}.checkpoints" in mapping:
        mapping[f"{GAN}.checkpoints"] = GIVEN_STEP_1
    return {name: new for name, new in mapping.items() if not name.startswith("params:")}


def _run_parameters(run: int, *, step_2: bool) -> str:
    name = run_of(current().seeded, run, step_2=step_2)
    return "params:run" if name is None else f"params:runs.{name}"


def _parameters(template: Pipeline, renamed: Mapping[str, str]) -> dict[str, str]:
    return {n: renamed.get(n, n) for n in template.inputs() if n.startswith("params:")}
