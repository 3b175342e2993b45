"""The interface of a generator kind, and that the documentation's example keeps to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from kedro.pipeline import Pipeline
from torch import nn

from borderline.boundary import ConfusionParams
from borderline.committee import Committee
from borderline.copies import once
from borderline.errors import BorderlineError
from borderline.params import GeneratorParams
from borderline.pipelines.gasten.kinds import KINDS
from borderline.pipelines.gasten.params import GeneratorContext
from conftest import (
    ROOT,
    copy_code,
    gan_params,
    generator_settings,
    kedro_run,
    reporting_folder,
)

MAY_TAKE = {
    *("pair_train", "test_noise", "judge", "committee", "real_features", "classifier"),
    *("gan.checkpoints", "checkpoints_so_far", "other.generator", "other.discriminator"),
    *("imported_file", "real_view", "boundary"),
    *(once("checkpoints"), once("history_table")),
}
LEAST = {
    "gasten": {"epochs": 1},
    "imported": {"source": {"kind": "torchscript", "path": "g.ts", "trust": True}, "latent_dim": 4},
}


def settings_of(kind: str, **settings: object) -> GeneratorParams:
    made: GeneratorParams = generator_settings(kind, **LEAST.get(kind, {}), **settings)
    return made


def pipeline_of(kind: str, **settings: object) -> Pipeline:
    return KINDS[kind].create_pipeline(settings_of(kind, **settings))


@pytest.mark.parametrize("kind", KINDS)
def test_kind_keeps_to_the_interface(kind: str) -> None:
    module = KINDS[kind]
    assert issubclass(module.Settings, GeneratorParams)
    pipeline = pipeline_of(kind)
    inputs = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert inputs <= MAY_TAKE
    assert "sampler" in pipeline.outputs()
    if module.Settings.trains:
        assert {"checkpoints", "generator", "discriminator"} <= pipeline.all_outputs()
    if module.Settings.trains_once:
        shared = module.create_shared_pipeline(settings_of(kind))
        assert {"checkpoints", "history_table", "samples"} <= shared.all_outputs()
        assert not {"classifier", "boundary", "real_view"} & shared.inputs()


def test_only_the_kind_that_blends_real_images_is_a_baseline() -> None:
    baselines = {kind: module.Settings.baseline for kind, module in KINDS.items()}
    assert {kind: words for kind, words in baselines.items() if words} == {
        "pixel_bisection": "blends of two real images"
    }


def test_search_in_a_tuned_generator_takes_its_networks() -> None:
    pipeline = pipeline_of("latent_search", space_of="other")
    assert "other.generator" in pipeline.inputs()
    # Not every generator has one.
    assert "other.discriminator" not in pipeline.inputs()
    assert "gan.checkpoints" not in pipeline.inputs()
    realism = {"by": "discriminator", "keep": 0.5}
    pipeline = pipeline_of("latent_search", space_of="other", realism=realism)
    assert {"other.generator", "other.discriminator"} <= pipeline.inputs()
    # The judges say the class, whichever network rates.
    assert "committee" in pipeline.inputs()
    assert "committee" not in pipeline_of("latent_search").inputs()


@pytest.mark.parametrize("by", ["committee", "judge", "discriminator"])
def test_the_judge_that_measures_is_not_among_those_that_choose(by: str) -> None:
    judges = tuple(nn.Linear(2, 2) for _ in range(3))
    committee = Committee(members=judges, classes=("a", "b"), positive=1, negative=0)
    settings = settings_of("latent_search", realism={"by": by, "keep": 0.25})
    shared = {"network": nn.Identity(), "judge": judges[0], "generator": settings}
    shared |= {"real_features": {"features": torch.empty(0, 2)}}
    keep = KINDS["latent_search"].keep_sampler
    sampler = keep(**shared, committee=committee)
    assert (sampler.keep, sampler.columns) == (0.25, (1, 0))
    assert sampler.members == {"committee": judges[1:], "discriminator": judges}.get(by, ())
    assert sampler.judge is (judges[0] if by == "judge" else None)
    # An encoder without a head has no opinion.
    mute = Committee(members=(), classes=(), positive=1, negative=0)
    assert keep(**shared, committee=mute).columns is None


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (
            "pixel_bisection",
            {"tolerance": 0.1},
            "one.tolerance is 0.1, .*beyond",
        ),
        ("latent_search", {"tolerance": 0.05, "spread": 0.05}, "tolerance and spread add up to"),
        (
            "latent_search",
            {"space_of": "ohter"},
            "is 'ohter' .did you mean 'other'.*'?gan or other",
        ),
        ("latent_search", {"start": 3}, "one.start is 3, .* 4 epochs .* every 2"),
        ("gasten", {"start": 6}, "one.start is 6"),
        ("latent_search", {"start": 0}, "one.start is 0, .* only noise"),
        (
            "latent_search",
            {"realism": {"by": "committee", "keep": 0.5}},
            "one.realism.by is 'committee', but .* set judge.members to 2 or more, set it to",
        ),
        (
            "diffusion",
            {"early_stopping": {"metric": "acd", "patience": 1}},
            "one.early_stopping.metric is 'acd', but .* no model under test",
        ),
        ("gasten", {"term": "mgda_norm"}, "gan.compile is True, but .* 'mgda_norm'"),
    ],
)
def test_kind_checks_its_settings_against_those_beside_them(
    kind: str, settings: dict[str, object], words: str
) -> None:
    values = {"latent_dim": 2, "filters": 2, "batch_size": 2, "learning_rate": 1e-3}
    context = GeneratorContext(
        gan=gan_params(epochs=4, checkpoint_every=2, compile=True, **values),
        confusion=ConfusionParams(threshold=0.5, band=0.1, scale="probability"),
        spaces={"other": settings_of("gasten")},
        members=1,
    )
    settings_of(kind).check("one", context)
    with pytest.raises(BorderlineError, match=words):
        settings_of(kind, **settings).check("one", context)


def test_distances_are_needed_where_a_start_or_a_stop_reads_them() -> None:
    assert settings_of("latent_search", start="best").distances() == {"fd_lenet"}
    assert settings_of("gasten", start="best_fid").distances() == {"fid"}
    assert not settings_of("gasten").distances()
    for metric, settled, needed in (
        ("acd", None, set()),
        ("acd", "fd_lenet", {"fd_lenet"}),
        ("fd_lenet", None, {"fd_lenet"}),
        ("fd_classifier", "fid", {"fd_classifier", "fid"}),
    ):
        once = None if settled is None else {"metric": settled, "patience": 1}
        rule = {"metric": metric, "patience": 1, "once_settled": once}
        assert settings_of("gasten", early_stopping=rule).distances() == needed


def test_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BorderlineError, match=r"generators.one.kind .*'borderline\[diffusion\]'"):
        settings_of("diffusion").check("one", None)


def test_decoder_may_change_without_a_new_training() -> None:
    usual, other = settings_of("diffusion"), settings_of("diffusion", steps=3, solver="heun")
    assert usual.fingerprint("generator") == other.fingerprint("generator")
    wide = settings_of("diffusion", channels=[64, 128])
    assert usual.fingerprint("generator") != wide.fingerprint("generator")


def test_every_kind_and_every_setting_is_documented() -> None:
    page = (ROOT / "docs/generators.md").read_text()
    for kind, module in KINDS.items():
        assert f"`{kind}`" in page
        for setting in module.Settings.model_fields:
            assert f"`{setting}" in page, f"{kind}: {setting}"


@pytest.mark.road
def test_example_of_the_documentation_is_one_file_and_one_entry(
    short: Path, tmp_path: Path
) -> None:
    """Of a finished project, whose judge and model are there."""
    page = (ROOT / "docs/generators.md").read_text()
    code = next(re.finditer(r"```python\n(.*?)```", page, re.DOTALL)).group(1)
    entry = next(re.finditer(r"```yaml\n(generators:.*?)```", page, re.DOTALL)).group(1)
    name = re.search(r"kinds/(\w+)\.py", page.split("## Adding", 1)[1]).group(1)  # type: ignore[union-attr]
    project = Path(shutil.copytree(short, tmp_path / "project"))
    (reporting_folder(project) / "cnn_1/leaderboard.csv").unlink()
    copy_code(project)
    (project / f"src/borderline/pipelines/gasten/kinds/{name}.py").write_text(code)
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    generators = yaml.safe_load(entry)["generators"]
    parameters["generators"] |= generators
    parameters["grid"] = {"models": ["cnn_1"], "generators": list(generators)}
    path.write_text(yaml.safe_dump(parameters))
    result = kedro_run(project, "--env", "test", "--pipelines", "gasten,metrics")
    assert result.returncode == 0, result.stdout + result.stderr
    leaderboard = pd.read_csv(reporting_folder(project) / "cnn_1/leaderboard.csv")
    assert leaderboard["source"].tolist() == [*generators, "real images"]
    assert (leaderboard["images"][:-1] == 300).all()
    shutil.rmtree(project)
