"""``kedro new-case``: writes an environment for an imported model and its images."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from kedro.utils import find_kedro_project

from borderline.commands.case_files import CONF, globals_of, write_case
from borderline.commands.case_options import (
    LISTS,
    as_size,
    confusion_of,
    from_project,
    listed,
    mapping,
    prompted,
    threshold_of,
)
from borderline.commands.own_options import speaking_of
from borderline.commands.project import check_has_settings
from borderline.commands.run import PlainSpokenCommand
from borderline.config_loader import PRESETS, base_settings
from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model
from borderline.plain_text import echo

if TYPE_CHECKING:
    from borderline.boundary import Boundary
    from borderline.imported.choices import Ask, Question
    from borderline.imported.classifier import ImportedClassifier
    from borderline.imported.contracts import Fit, Material
    from borderline.records import LabelledImages


class Case(NamedTuple):
    """A written case.

    Attributes:
        fit: The chosen contract and columns.
        others: The other contracts, the most likely first.
        runner_up: The best other columns; None where there are none.
        classifier: The model.
        boundary: Its decision boundary.
    """

    fit: Fit
    others: list[Fit]
    runner_up: Fit | None
    classifier: ImportedClassifier
    boundary: Boundary | None


@click.command("new-case", cls=PlainSpokenCommand)
@click.argument("name")
@click.option(
    "--model", help="File of the model: safetensors, state dict, ONNX, .pt2, TorchScript or pickle."
)
@click.option("--import-path", help="Class of the state dict, or a callable: package.module.Name.")
@click.option("--arguments", default="{}", help="Arguments of that class: '{num_classes: 10}'.")
@click.option("--key", help="Weights in a checkpoint that holds several: ema, state_dict.student.")
@click.option("--output", help="Output with the class scores, where the model has several.")
@click.option(
    "--trust",
    is_flag=True,
    help="Allow the file to run code when it is read: .pt2, TorchScript and pickle need it.",
)
@click.option("--images", help="Folder or file of the images, or mnist_sample.")
@click.option(
    "--classes",
    default="",
    help='Names of all classes, in the order of their labels: cat,"dog, old".',
)
@click.option("--levels", default="", help="What the folders of images are: site,class.")
@click.option("--file-column", help="Column of the paths in a table.")
@click.option("--label-column", help="Column of the classes in a table.")
@click.option("--split-column", help="Column of train, val and test in a table.")
@click.option("--group-column", help="Column of patients, drives, ... that splits keep together.")
@click.option("--folder", help="Where the paths in a table start, or where links may lead.")
@click.option(
    "--size", default="", help="Resize the images: 64 for squares, or height and width: 48,192."
)
@click.option("--colour", type=click.Choice(["grey", "rgb"]), help="Convert the images.")
@click.option(
    "--fit",
    type=click.Choice(["crop", "pad", "stretch"]),
    help="Images of other proportions: cut their sides, add borders, or stretch them.",
)
@click.option("--range", default="", help="Black and white in the images: 0,4095.")
@click.option(
    "--broken",
    type=click.Choice(["stop", "leave_out"]),
    help="Stop at files that cannot be read, or leave them out.",
)
@click.option(
    "--input-size", default="", help="Side of the model's images: 224, or height,width: 48,192."
)
@click.option("--input-range", default="", help="Black and white for the model: 0,255.")
@click.option("--mean", default="", help="Mean of the normalisation, one or per channel: 0.5.")
@click.option("--std", default="", help="Standard deviation of the normalisation.")
@click.option("--positive", help="Positive class, by name or number.")
@click.option("--negative", help="Negative class, by name or number.")
@click.option("--columns", default="", help="Output columns of the two classes: 7,5.")
@click.option("--embedding", help="Layer whose output is clustered, or judge.")
@click.option(
    "--threshold",
    help="Decision threshold: 0.2, '{sensitivity: 0.95}' or '{specificity: 0.9}'; default 0.5.",
)
@click.option("--band", type=float, help="Largest distance of borderline images from it.")
@click.option(
    "--scale", type=click.Choice(["probability", "logit"]), help="Scale of that distance."
)
@click.option("--allow-chance", is_flag=True, help="Accept a model that guesses.")
@click.option("--no-input", is_flag=True, help="Ask nothing: stop where an option is missing.")
def new_case(name: str, model: str | None, import_path: str | None, **options: Any) -> None:
    """Write conf/NAME/ for an imported model and its images.

    The command tries the model on real images with the usual ranges, normalisations and channels,
    and writes the most likely combination. It asks where the images do not decide.
    """
    silent, project = options["no_input"], find_kedro_project(Path.cwd()) or Path.cwd()
    check_has_settings(project, "new-case")
    for option, question in {
        "images": "Folder or file of the images",
        "positive": "Positive class",
        "negative": "Negative class",
    }.items():
        options[option] = prompted(option, options[option], question, silent)
    if model is None and import_path is None:
        model = prompted("model", None, "File of the model", silent)
    options["arguments"] = mapping("arguments", options["arguments"])
    options["threshold"] = threshold_of(options["threshold"])
    for option in LISTS:
        name_of_value = option.replace("-", "_")
        options[name_of_value] = listed(option, options[name_of_value])
    options["size"] = as_size(options["size"])
    for option in ("images", "folder"):
        options[option] = options[option] and from_project(options[option], project)
    path = None if model is None else from_project(model, project)
    with chdir(project):
        check_name(name)
        source = kind_of_model(path, import_path, trust=options["trust"])
        case = make_case(name, source, options, _refuse if silent else _ask)
    _print(name, case)


def check_name(name: str) -> None:
    """Check that a case can have a name and that none has it yet."""
    from borderline.preflight.reading import check_spelling

    check_spelling([name], [])
    if name in ("base", "local", PRESETS):
        raise BorderlineError(f"name is {name!r}, a folder of conf for all cases: choose another.")
    if (CONF / name).exists():
        raise BorderlineError(
            f"name is {name!r}, but {CONF / name} exists already: choose another name, or move "
            "that folder away."
        )


def make_case(name: str, source: dict[str, Any], options: dict[str, Any], ask: Ask) -> Case:
    """Write the environment.

    Raises:
        BorderlineError: When a run with these settings would stop, or when a question cannot be
            asked; then nothing is written.
    """
    import torch

    from borderline.imported.choices import choose_columns, choose_contract
    from borderline.imported.contracts import normalisation_of, try_contracts, usual_contracts
    from borderline.imported.probe import check_model
    from borderline.imported.sizes import choose_size
    from borderline.measures.inference import predict_real
    from borderline.training.thresholds import boundary_of

    source |= {name: options[name] for name in ("arguments", "key", "output") if options[name]}
    about = globals_of(name, options)
    boundary = {n: options[n] for n in ("threshold", "band", "scale") if options[n] is not None}
    with speaking_of(images=False):
        confusion = confusion_of(base_settings(CONF)["confusion"] | boundary)
    threshold = confusion.known_threshold
    material, validation = _load(source, about, for_threshold=threshold is None)
    material = material._replace(threshold=threshold)
    usual = _named_contract(options)
    if not usual:
        usual = {**usual_contracts(source), **normalisation_of(material.real["images"])}
    if options["input_size"]:
        size = {"size": as_size(options["input_size"]), "fit": True}
        usual = {name: {**contract, **size} for name, contract in usual.items()}
    with speaking_of(images=False):
        trials, kind = try_contracts(material, usual)
        columns = choose_columns(
            trials, kind, material.pair, options["columns"], ask, options["allow_chance"]
        )
        names = [trial.name for trial in trials]
        chosen = choose_contract(columns.fits, names, confusion.boundary(), ask)
        fit = choose_size(material, chosen, ask)
        settings = _settings_of(fit, source, options)
        classifier = material.model(settings)
        check_model(f"models.{name}", classifier, material.real, torch.device("cpu"), threshold)
        found = confusion.boundary()
        if validation is not None:
            p = predict_real(classifier, validation["images"], torch.device("cpu"))
            found = boundary_of(confusion, p, validation["labels"])
    generators = ["latent_search", "pixel_bisection"]
    if classifier.differentiable:
        generators = ["gasten_10", "latent_search", "hybrid", "pixel_bisection"]
    parameters = {
        "grid": {"models": [name], "generators": generators},
        "models": {name: settings},
        **({"confusion": boundary} if boundary else {}),
    }
    comment = (
        f"The most likely contract is {fit.name}: {fit.right} of {fit.images} images correct. "
        "See docs/your_own.md for other settings."
    )
    write_case(name, about, parameters, comment)
    others = [other for other in columns.fits if other is not chosen]
    return Case(fit, others, columns.runner_up, classifier, found)


def _named_contract(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The contract that the options name; empty if they name none."""
    named = {"input_range": "range", "mean": "mean", "std": "std"}
    contract = {setting: options[option] for option, setting in named.items() if options[option]}
    if not contract:
        return {}
    if options["mean"] or options["std"]:
        return {"that mean and std": {"mean": options["mean"], "std": options["std"], **contract}}
    low, high = options["input_range"]
    return {f"[{low:g}, {high:g}]": contract}


def _load(
    source: dict[str, Any], about: dict[str, Any], *, for_threshold: bool
) -> tuple[Material, LabelledImages | None]:
    """The file of the model and the real images of the pair; the file is checked first.

    With ``for_threshold`` also the validation images of the pair.
    """
    from borderline.datasets import ImageSource, ImportedFile
    from borderline.imported.columns import Pair
    from borderline.imported.contracts import Material, valid
    from borderline.imported.kinds import read_network
    from borderline.imported.params import Source
    from borderline.params import PairParams, RunParams, merged
    from borderline.pipelines.classifier.pairs import (
        check_counts,
        check_distinct,
        images_of_pair,
        labels_of_pair,
        validation_of,
    )
    from borderline.preflight.reading import read_globals
    from borderline.training.params import TrainingParams

    with speaking_of(images=True):
        read_globals(base_settings(CONF, "globals") | about)
    base = base_settings(CONF)
    defaults = base["model_kinds"]["imported"]
    with speaking_of(images=False):
        content = ImportedFile(filepath=source.get("path"), setting="--model").load()
        network = read_network(valid(Source, merged(defaults["source"], source)), content)
    with speaking_of(images=True):
        images = ImageSource(**about["source"]).load()
        check_counts(images)
        pair = PairParams.model_validate({**about["pair"], "test_share": 0.2})
        labels = labels_of_pair(images, pair)
        check_distinct(images, pair)
    real = images_of_pair(images.train, *labels)
    material = Material(source, content, real, Pair(images.classes, *labels), network, defaults)
    if not for_threshold:
        return material, None
    run, training = RunParams(**base["run"]), TrainingParams(**base["classifier"])
    with speaking_of(images=False):
        return material, validation_of(images, pair, training, run)


def _settings_of(fit: Fit, source: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The entry of the model in ``parameters.yml``."""
    columns = fit.assignment.columns
    named = {"embedding": options["embedding"], "allow_chance": options["allow_chance"]}
    usual = columns is None or (columns == (1, 0) and fit.trial.outputs.shape[1] == 2)
    return {
        "kind": "imported",
        "source": source,
        "input": fit.trial.contract,
        "outputs": fit.kind,
        **({} if usual or columns is None else {"columns": list(columns)}),
        **{option: value for option, value in named.items() if value},
    }


def _print(name: str, case: Case) -> None:
    """Print what was found, how sure it is, and what to do next."""
    from borderline.boundary import ends_of_band, formula_of_band
    from borderline.imported.choices import described, described_columns
    from borderline.imported.evidence import difference
    from borderline.imported.params import JUDGE

    fit, classifier = case.fit, case.classifier
    for trial in (fit, *case.others):
        echo(f"  {described(trial)}")
    if case.others:
        rival = case.others[0]
        gap = difference(fit.likelihoods, rival.likelihoods)
        echo(
            f"Input: {fit.name}. The next best is {rival.name}: the difference of the mean "
            f"log-likelihoods is {gap}."
        )
    if "size" not in {**fit.trial.contract, **classifier.network.declared()}:
        height, width = classifier.blank().shape[2:]
        echo(
            f"Input size: {height}x{width}, that of the images, because the file declares none "
            "(--input-size names another)."
        )
    echo(f"Output: {described_columns(fit)}.")
    if case.runner_up is not None:
        better = case.runner_up.likelihoods_of_all.mean() > fit.likelihoods_of_all.mean()
        label = "Other columns fit better" if better else "The runner-up"
        echo(f"{label}: {described_columns(case.runner_up)}.")
    if classifier.layer == JUDGE:
        echo("Embedding: the judge's features.")
    else:
        width = classifier.embed(classifier.blank()).shape[1]
        echo(f"Embedding layer: {classifier.layer}, {width} numbers per image.")
    boundary = case.boundary
    if boundary is not None and boundary["rule"]:
        echo(f"Decision threshold: {boundary['threshold']:.4g} ({boundary['rule']}).")
        low, high = ends_of_band(boundary)
        echo(f"Borderline: {formula_of_band(boundary)}, which is p from {low:.4g} to {high:.4g}.")
    if not classifier.differentiable:
        echo("The model has no gradients, so generators that need them are left out.")
    echo(f"conf/{name}/ is written: now run `kedro run --env {name}`.")


def _ask(question: Question) -> int:
    """Ask the user."""
    echo(question.text)
    for number, option in enumerate(question.options, 1):
        echo(f"  {number}. {option}")
    if question.offer:
        return 0 if click.confirm("Take the first?", default=True) else 1
    choice = click.IntRange(1, len(question.options))
    return int(click.prompt("Which one", type=choice, default=1)) - 1


def _refuse(question: Question) -> int:
    raise BorderlineError(question.refusal)
