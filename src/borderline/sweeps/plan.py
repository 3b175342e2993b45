"""The plan of a sweep: its runs and their common settings, checked before any work."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline.context import BorderlineContext
from borderline.datasets.buckets import is_bucket
from borderline.datasets.digests import digests_of
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.grid import GIVEN_STEP_1, lay_out
from borderline.names import fault_of_name, name_of_pair
from borderline.params import GeneratorParams, Mark, earlier, flat, merged
from borderline.pipeline_registry import STAGES
from borderline.pipelines.gasten.noise_file import NOISE_FILE
from borderline.preflight.configuration import Parameters
from borderline.preflight.folders import check_data_folder, check_place
from borderline.preflight.imports import digests_of_imports
from borderline.preflight.inputs import digest_of_images, digest_of_words
from borderline.quick import quick_name
from borderline.sweeps.pairs import Pair, all_pairs, checked_pairs, pairs_of_environments

_SET_HERE = {
    "run.seed": "--seeds",
    "pair.positive": "--pairs",
    "pair.negative": "--pairs",
    "grid.models": "--models",
    "grid.generators": "--generators",
    "data_folder": "--name",
}
_EXAMPLES = {
    "env": "fashion_3v0",
    "pairs": "3v0",
    "classes": "0,1,2",
    "seeds": "0",
    "models": "cnn_4",
    "generators": "hybrid",
    "pipelines": "classifier,gasten,metrics",
}
STATE = "state.json"
"""The file of a sweep's finished sweep runs and their settings."""
_DIFFER_BY_SWEEP_RUN = {"run.seed", "pair.positive", "pair.negative"}


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: a pair with a seed."""

    positive: int | str
    negative: int | str
    seed: int

    @property
    def pair(self) -> str:
        """The pair as it stands in paths."""
        return name_of_pair(self.positive, self.negative)

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.pair}_seed_{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A sweep whose options have been checked.

    Attributes:
        dataset: The environment's name for its images.
        classes: The names of the classes in the order of their labels.
        labels: The labels of the positive and the negative class of each pair, by its name.
        parameters: All settings of the environment, with those of ``--params``.
        generators: The generators that each entry of ``grid.generators`` stands for.
        sources: The entries from which each entry continues.
        params: The settings of ``--params``, nested.
        settings: The common settings of all sweep runs, by dotted name.
        files: The digests of the files that settings name, by dataset; without those that are not
            there.
        earlier: The values of settings that sweeps of earlier versions lack.
    """

    folder: Path
    env: str | None
    dataset: str
    classes: tuple[str, ...]
    labels: Mapping[str, tuple[int, int]]
    parameters: Parameters
    sweep_runs: tuple[SweepRun, ...]
    models: tuple[str, ...]
    generators: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, frozenset[str]]
    stages: tuple[str, ...]
    params: Mapping[str, Any]
    settings: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)

    @property
    def search_file(self) -> Path:
        """The study of a search; a sweep without one has no such file."""
        return self.folder / "search.sqlite"

    @property
    def logs(self) -> Path:
        """The folder of the outputs of its runs."""
        return self.folder / "logs"

    def data_folder(self, sweep_run: SweepRun) -> Path:
        """The data folder of a sweep run; the paths in it have the pair but not the seed."""
        return self.folder / f"seed_{sweep_run.seed}"

    def reporting(self, sweep_run: SweepRun) -> Path:
        """The folder of a sweep run's tables."""
        case = f"{self.dataset}_{sweep_run.pair}"
        return self.data_folder(sweep_run) / "08_reporting" / case

    def settings_of(
        self, sweep_run: SweepRun, models: Collection[str], generators: Collection[str]
    ) -> dict[str, Any]:
        """The settings of a sweep run, nested, as ``--params`` takes them."""
        return merged(
            self.params,
            {
                "run": {"seed": sweep_run.seed},
                "pair": {"positive": sweep_run.positive, "negative": sweep_run.negative},
                "grid": {"models": list(models), "generators": list(generators)},
                "data_folder": str(self.data_folder(sweep_run)),
            },
        )

    def without(self, generators: Collection[str], failed: str) -> tuple[str, ...]:
        """The generators without a failed one and those that continue from it."""
        left = [name for name in generators if name != failed]
        for name in [name for name in left if failed in self.sources[name]]:
            left = list(self.without(left, name))
        return tuple(left)

    def blame(self, node: str) -> tuple[str | None, str | None]:
        """The model and the entry of ``grid.generators`` of a node; None for all of them."""
        first, *parts = node.split(".")[:-1]
        entries = (entry for entry, names in self.generators.items() if set(names) & set(parts))
        return first if first in self.models else None, next(entries, None)


def make_plans(
    project: Path, *, env: str | None = None, name: str | None = None, **options: Any
) -> list[Plan]:
    """A plan for each environment of ``--env``; several have a folder each in that of the sweep.

    Raises:
        BorderlineError: When an option or a setting is wrong.
    """
    environments = _listed("env", env) or []
    if len(environments) < 2:
        return [make_plan(project, env=env, name=name, **options)]
    if name is None:
        raise BorderlineError("--env has several environments: name the sweep with --name.")
    if options.get("pairs") or options.get("every_pair"):
        raise BorderlineError(
            "--env has several environments, which have a pair each: remove --pairs and "
            "--all-pairs, or name one environment."
        )
    plans = [make_plan(project, env=one, name=name, below=one, **options) for one in environments]
    for plan in plans:
        if plan.folder.parent != plans[0].folder.parent:
            raise BorderlineError(
                f"data_folder of {plan.env} is not that of {plans[0].env}: set one in "
                "conf/<env>/globals.yml, or sweep over each environment alone."
            )
        if (plan.folder.parent / STATE).exists():
            raise BorderlineError(
                f"{plan.folder.parent} is the folder of a sweep over one environment: give this "
                "sweep another --name."
            )
    return plans


def make_plan(
    project: Path,
    *,
    env: str | None = None,
    name: str | None = None,
    below: str | None = None,
    params: Mapping[str, Any] | None = None,
    every_pair: bool = False,
    suffix: str = "",
    **options: str | None,
) -> Plan:
    """Check all options and settings, and list the sweep runs.

    Args:
        project: The project's folder.
        env: The environment.
        name: The name of the sweep; None for that of the environment.
        below: The name of its folder in that of a sweep over several environments.
        params: Further settings of every sweep run, nested.
        every_pair: Whether the pairs are all pairs of the classes.
        suffix: The end of the default name.
        options: The lists of the command line, such as ``seeds="0,1"``; None for the environment's.

    Raises:
        BorderlineError: When an option or a setting is wrong.
    """
    params = params or {}
    for setting, _ in flat(params):
        if setting in _SET_HERE:
            raise BorderlineError(
                f"--params sets {setting}, but a sweep sets it itself: use {_SET_HERE[setting]}."
            )
    lists = {option: _listed(option, options.get(option)) for option in _EXAMPLES}
    grid = {option: lists[option] for option in ("models", "generators") if lists[option]}
    changed = merged(params, {"grid": grid})
    with KedroSession.create(project, env=env, runtime_params=changed) as session:
        context: Any = session.load_context()  # type: ignore[attr-defined]
    assert isinstance(context, BorderlineContext)
    parameters, about = context.checked, context.about
    for model in context.layout.repaired:
        raise BorderlineError(
            f"--models or grid.models has {model}, but a sweep repairs no model: leave it out."
        )
    stages = _checked_stages(lists["pipelines"])
    seeds = _checked_seeds(lists["seeds"], parameters.run.seed)
    name = name if name is not None else default_name(env or "base", parameters) + suffix
    if fault := fault_of_name(name):
        raise BorderlineError(f"--name is {name!r}, but {fault}: choose another name.")
    folder = Path(about.data_folder) / "sweeps" / name / (below or "")
    if is_bucket(about.data_folder):
        raise BorderlineError(
            f"data_folder is {about.data_folder!r}, but a sweep needs a folder of this machine for "
            "its state and logs: name one in conf/<env>/globals.yml."
        )
    check_data_folder(folder)
    check_place(folder, project, about.source)
    parameters.run.torch_device()
    source: SourceImages = context.catalog.load("source")
    of_grid = parameters.grid.seeds or parameters.grid.step_2_seeds
    if of_grid is not None and len(seeds) > 1:
        raise BorderlineError(
            f"grid.seeds or grid.step_2_seeds is {list(of_grid)}, which takes the place of the "
            "seeds of the sweep (--seeds): set it to null, or sweep over one seed."
        )
    pairs = _pairs(lists, source, context, every_pair=every_pair)
    classes = {name for pair in pairs for name in pair}
    label = {name: source.label_of(name, "--pairs") for name in classes}
    labels = {name_of_pair(*pair): (label[pair[0]], label[pair[1]]) for pair in pairs}
    entries = {}
    for entry in context.lists.generators:
        alone = context.lists.model_copy(update={"generators": (entry,)})
        entries[entry] = tuple(lay_out(alone, parameters.generators, trains_gan=True).generators)
    settings = {
        "pipelines": list(stages),
        "dataset": about.dataset,
        "step_1_checkpoints": about.step_1_checkpoints,
        "source": digest_of_images(source),
        **_in_common(parameters),
    }
    return Plan(
        folder=folder,
        env=env,
        dataset=about.dataset,
        classes=tuple(source.classes),
        labels=labels,
        parameters=parameters,
        sweep_runs=tuple(SweepRun(*pair, seed) for pair in pairs for seed in seeds),
        models=parameters.grid.models,
        generators=entries,
        sources={entry: _sources(entries, parameters.generators[entry]) for entry in entries},
        stages=stages,
        params=params,
        settings=settings,
        files={**_files(context), "names and columns of source": digest_of_words(source)},
        earlier=dict(earlier(parameters)),
    )


def default_name(env: str, parameters: Parameters) -> str:
    """The name of a sweep; quick runs have their own folder."""
    return quick_name(env) if parameters.run.quick else env


def _pairs(
    lists: Mapping[str, list[str] | None],
    source: SourceImages,
    context: BorderlineContext,
    *,
    every_pair: bool,
) -> list[Pair]:
    """The pairs of ``--pairs``, of ``--all-pairs`` with ``--classes``, or of the environment."""
    pairs, classes = lists["pairs"], lists["classes"]
    if not every_pair:
        if classes is not None:
            raise BorderlineError("--classes limits --all-pairs: add that option, or remove it.")
        return checked_pairs(pairs or [], source, context.checked)
    if pairs is not None:
        raise BorderlineError("--pairs and --all-pairs both name the pairs: remove one of them.")
    conf = Path(str(context.config_loader.conf_source))
    dataset = context.about.dataset.removesuffix(quick_name(""))
    known = pairs_of_environments(conf, dataset)
    return all_pairs(classes or [], source, context.checked, known)


def _listed(option: str, value: str | None) -> list[str] | None:
    if value is None:
        return None
    items = [item.strip() for item in value.split(",")]
    if not all(items):
        raise BorderlineError(
            f"--{option} is {value!r}, which has an empty entry: name at least one, such as "
            f"{_EXAMPLES[option]}, separated by commas, or leave the option out."
        )
    twice = [item for item in items if items.count(item) > 1]
    if twice:
        raise BorderlineError(f"--{option} names {twice[0]!r} twice: remove one.")
    return items


def _checked_stages(names: list[str] | None) -> tuple[str, ...]:
    names = list(STAGES) if names is None else names
    ordered = tuple(stage for stage in STAGES if stage in names)
    if ordered != STAGES[: len(names)]:
        raise BorderlineError(
            f"--pipelines is {','.join(names)!r}, but every sweep run starts from the first stage: "
            f"name the first ones of {','.join(STAGES)}, without a gap."
        )
    return ordered


def _checked_seeds(words: list[str] | None, default: int) -> list[int]:
    seeds: list[int] = []
    for word in [str(default)] if words is None else words:
        if not word.isdecimal() or not int(word) < 2**32:
            raise BorderlineError(
                f"--seeds has {word!r}, but a seed is a whole number from 0 to "
                f"{2**32 - 1}: correct it."
            )
        if int(word) in seeds:
            raise BorderlineError(f"--seeds names {int(word)} twice: remove one.")
        seeds.append(int(word))
    return seeds


def _sources(entries: Mapping[str, tuple[str, ...]], settings: GeneratorParams) -> frozenset[str]:
    starts = {variant.goes_on_from() for variant in settings.variants().values()}
    return frozenset(name for name, names in entries.items() if starts & set(names))


def _files(context: BorderlineContext) -> dict[str, str]:
    """The digests of the files that settings name and that are there, and of the code beside them.

    The file of a finished sweep run may be gone. Another one in its place would give the next sweep
    run another model.
    """
    catalog = context.catalog
    assert isinstance(catalog, DataCatalog)
    files = digests_of_imports(catalog, context.checked, context.layout, Pipeline([]))
    others = {NOISE_FILE: context.checked.generation.noise_file}
    others |= {GIVEN_STEP_1: context.about.step_1_checkpoints}
    for name in (name for name, path in others.items() if path is not None):
        if found := digests_of(catalog.get(name)):
            files[name] = sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return files


def _in_common(parameters: Parameters) -> dict[str, Any]:
    """The settings of all sweep runs; of models and generators, only those of the grid."""
    values = parameters.plain(Mark.BESIDE) | {"run": parameters.run.plain(Mark.NO_RESULT)}
    for group in ("models", "generators"):
        used = values["grid"][group]
        values[group] = {name: values[group][name] for name in used}
    return {name: value for name, value in flat(values) if name not in _DIFFER_BY_SWEEP_RUN}
