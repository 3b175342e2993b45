"""From the files of an environment to settings that fit one another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from borderline.errors import BorderlineError, did_you_mean
from borderline.grid import lay_out
from borderline.measures import INCEPTION_FEATURES
from borderline.names import fault_of_name
from borderline.params import merged
from borderline.pipeline_registry import STAGES
from borderline.pipelines.classifier.params import JudgeParams, RepairedModelParams
from borderline.pipelines.gasten.params import GeneratorContext
from borderline.pipelines.metrics.params import RULES
from borderline.preflight.configuration import Globals, Parameters, trained_members
from borderline.preflight.epochs import check_number, check_rules, sizes
from borderline.preflight.sentences import KINDS_OF, SINGLE, check_names, unknown, validated
from borderline.training.params import JUDGE_FEATURES

_PARAMETERS = "parameters*.yml"
# Tables read the first three as missing values; the catalog has folders of the others.
_TAKEN = {
    *("nan", "null", "none"),
    *("gan", "judge", "ledger", "comparison", "other_run", "page", "repeats"),
    *STAGES,
    *RULES,
}
_REPAIRED = "_repaired"
"""The end of the name of a repaired model that needs no entry of ``models``."""
_OTHER_DATASETS = re.compile(r"judge_|compared_|gan_run_\d")


def read_globals(raw: dict[str, Any]) -> Globals:
    """Check ``globals.yml``."""
    return validated(Globals, raw, "globals.yml")


def read_parameters(raw: dict[str, Any]) -> Parameters:
    """Check all settings of a run."""
    parameters = validated(Parameters, with_kinds(raw), _PARAMETERS)
    if parameters.pair.positive == parameters.pair.negative:
        raise BorderlineError(
            f"pair.positive and pair.negative are both {parameters.pair.positive!r}: choose two "
            "classes."
        )
    grid = parameters.grid
    _check_repaired(parameters)
    check_names("grid.models", grid.models, parameters.models, "models")
    check_names("grid.generators", grid.generators, parameters.generators, "generators")
    _check_gan(parameters)
    _check_generators(parameters)
    rule, layout = parameters.metrics.choose, lay_out(grid, parameters.generators, trains_gan=True)
    check_spelling(grid.models, layout.generators)
    check_names("metrics.choose", [rule], [*RULES, *layout.generators], "grid.generators")
    if parameters.clustering.alone:
        alone = parameters.clustering.alone
        check_names("clustering.alone", alone, parameters.generators, "generators")
    check_rules(parameters)
    width = JUDGE_FEATURES if isinstance(parameters.judge, JudgeParams) else None
    if parameters.generation.noise_file is None:
        check_number(parameters)
    _check_metrics(parameters)
    if width is not None:
        check_feature_width(parameters, width)
    _check_compare(parameters)
    return parameters


def with_kinds(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which the judge, each model and each generator has the defaults of its kind."""
    filled = dict(raw)
    for group, kinds in KINDS_OF.items():
        setting = f"{group.removesuffix('s')}_kinds"
        defaults, entries = filled.pop(setting, {}), raw.get(group)
        _check_known([setting], defaults, kinds)
        for kind, values in defaults.items():
            _check_known([setting, kind], values, kinds[kind].model_fields)
        if not isinstance(entries, dict):
            continue
        if group in SINGLE:
            filled[group] = _with_kind(entries, defaults)
        else:
            filled[group] = {name: _with_kind(entry, defaults) for name, entry in entries.items()}
    return _with_repaired(filled)


def _with_repaired(filled: dict[str, Any]) -> dict[str, Any]:
    """Settings with an entry for each ``<model>_repaired`` of the grid that has none."""
    grid, models = filled.get("grid"), filled.get("models")
    names = grid.get("models") if isinstance(grid, dict) else None
    if not isinstance(names, list) or not isinstance(models, dict):
        return filled
    missing = [name for name in names if isinstance(name, str) and name not in models]
    bases = {name: name.removesuffix(_REPAIRED) for name in missing if name.endswith(_REPAIRED)}
    added = {n: {"kind": "repaired", "of": base} for n, base in bases.items() if base in models}
    return {**filled, "models": {**models, **added}}


def _with_kind(entry: Any, defaults: Mapping[str, Any]) -> Any:
    """An entry with the defaults of its kind; what is no group of settings stays."""
    if not isinstance(entry, dict):
        return entry
    return merged(defaults.get(str(entry.get("kind")), {}), entry)


def _check_known(groups: list[str], values: Any, known: Iterable[str]) -> None:
    if not isinstance(values, dict):
        raise BorderlineError(
            f"{'.'.join(groups)} is {values!r}, but it must contain settings: correct it in "
            "conf/<env> or in --params."
        )
    for name in values:
        if name not in known:
            raise BorderlineError(unknown(groups, name, known, _PARAMETERS))


def check_paths(parameters: Parameters, about: Globals, changed: Mapping[str, Any]) -> None:
    """Make sure that parameters and ``globals.yml``, which paths carry, have the same pair."""
    for group in ("pair", "other_run"):
        filed = getattr(about, group).model_dump() | dict(changed.get(group, {}))
        for name in type(getattr(about, group)).model_fields:
            value = getattr(getattr(parameters, group), name)
            if value != filed[name]:
                raise BorderlineError(
                    f"{group}.{name} is {value!r} in parameters*.yml, but paths carry "
                    f"{filed[name]!r} of globals.yml: set {group} in conf/<env>/globals.yml or "
                    "with --params."
                )


def _check_repaired(parameters: Parameters) -> None:
    """Make sure that each repaired model is one of a model that is not repaired."""
    models = parameters.models
    known = [n for n, model in models.items() if not isinstance(model, RepairedModelParams)]
    for name, model in models.items():
        if isinstance(model, RepairedModelParams) and model.of not in known:
            fault = "is itself a repaired model" if model.of in models else "models does not have"
            raise BorderlineError(
                f"models.{name}.of is {model.of!r}, which {fault}{did_you_mean(model.of, known)}: "
                f"choose one of {', '.join(known)}."
            )
    for name in parameters.grid.models:
        base = name.removesuffix(_REPAIRED)
        if name not in models and base.endswith(_REPAIRED):
            raise BorderlineError(
                f"grid.models is {name!r}, but a repaired model is not repaired again: name "
                f"{base!r}."
            )
        if name not in models and base != name:
            raise BorderlineError(
                f"grid.models is {name!r}, the repaired version of {base!r}, which models does not "
                f"have{did_you_mean(base, known)}: choose one of {', '.join(known)}, or add "
                f"{base!r} to models."
            )


def _check_gan(parameters: Parameters) -> None:
    """Make sure that step 1 can be trained and measured as its settings say."""
    gan = parameters.gan
    if gan.steps_per_epoch is not None and gan.disc_iters > gan.steps_per_epoch:
        raise BorderlineError(
            f"gan.disc_iters is {gan.disc_iters}, but an epoch has only {gan.steps_per_epoch} "
            "steps (gan.steps_per_epoch): lower gan.disc_iters or raise gan.steps_per_epoch."
        )
    if gan.compile and gan.loss == "wgan_gp":
        raise BorderlineError(
            "gan.compile is True, but torch.compile cannot differentiate twice, as gan.loss "
            "'wgan_gp' requires: set gan.compile to False."
        )


def _check_generators(parameters: Parameters) -> None:
    """Make sure that every generator fits the settings beside it."""
    grid = parameters.grid.model_copy(update={"runs": 1, "seeds": None, "step_2_seeds": None})
    placed = lay_out(grid, parameters.generators, trains_gan=True).generators
    context = GeneratorContext(
        gan=parameters.gan,
        confusion=parameters.confusion,
        spaces={n: settings for n, (settings, _) in placed.items() if settings.has_space},
        members=len(trained_members(parameters)),
    )
    for name, (settings, _) in placed.items():
        settings.check(name, context)


def _check_metrics(parameters: Parameters) -> None:
    """Make sure that generators can be measured."""
    for setting, size in sizes(parameters).items():
        if "inception" in parameters.grid.judges and size <= INCEPTION_FEATURES:
            raise BorderlineError(
                f"{setting} is {size}, but the Fréchet distance of inception (grid.judges) needs "
                f"more images than its {INCEPTION_FEATURES} features: raise it, or leave inception "
                "out."
            )


def check_feature_width(parameters: Parameters, width: int) -> None:
    """Make sure that fd_lenet can be measured in this number of features of the judge."""
    for setting, size in sizes(parameters).items():
        if size <= width:
            raise BorderlineError(
                f"{setting} is {size}, but fd_lenet needs more images than the judge's {width} "
                "features: raise it."
            )


def _check_compare(parameters: Parameters) -> None:
    """Make sure that the models to compare belong to the run."""
    compare, models = parameters.compare, parameters.grid.models
    named = {"this": compare.this}
    if parameters.other_run.data_folder is None:
        named["other"] = compare.other
    for name, model in named.items():
        if model is not None:
            check_names(f"compare.{name}", [model], models, "grid.models")


def check_spelling(models: Iterable[str], generators: Iterable[str]) -> None:
    """Make sure that the names of models and generators are valid and not taken."""
    for setting, names in (("models", models), ("generators", generators)):
        for name in names:
            if name in _TAKEN or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise BorderlineError(
                    f"grid.{setting} is {name!r}, but names consist of small letters, digits and "
                    "underscores, begin with a letter, and differ from "
                    f"{', '.join(sorted(_TAKEN))}: rename it."
                )
            if _OTHER_DATASETS.match(name):
                raise BorderlineError(
                    f"grid.{setting} is {name!r}, but results of the judge, of step 1 and of "
                    "comparisons have such names: rename it."
                )
            if fault := fault_of_name(name):
                raise BorderlineError(f"grid.{setting} is {name!r}, but {fault}: rename it.")
