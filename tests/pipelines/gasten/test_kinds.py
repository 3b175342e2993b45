"""The interface of a generator kind, and that the documentation's example keeps to it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.pipeline import Pipeline

from borderline.params import GeneratorParams
from borderline.pipelines.gasten.kinds import KINDS
from conftest import ROOT, generator_settings, kedro_run, reporting_folder

MAY_TAKE = {
    *("pair_train", "test_noise", "judge", "real_features", "classifier"),
    *("gan.checkpoints", "checkpoints_so_far", "other.generator", "other.discriminator"),
    "imported_file",
}
LEAST = {
    "imported": {"source": {"kind": "torchscript", "path": "generator.ts"}, "latent_dim": 4},
}


def pipeline_of(kind: str, **settings: object) -> Pipeline:
    checked = generator_settings(kind, **LEAST.get(kind, {}), **settings)
    return KINDS[kind].create_pipeline(checked)


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


def test_search_in_a_tuned_generator_takes_its_networks() -> None:
    pipeline = pipeline_of("latent_search", space_of="other")
    assert "other.generator" in pipeline.inputs()
    # Not every generator has one.
    assert "other.discriminator" not in pipeline.inputs()
    assert "gan.checkpoints" not in pipeline.inputs()
    realism = {"by": "discriminator", "keep": 0.5}
    pipeline = pipeline_of("latent_search", space_of="other", realism=realism)
    assert {"other.generator", "other.discriminator"} <= pipeline.inputs()


def test_every_kind_and_every_setting_is_documented() -> None:
    page = (ROOT / "docs/generators.md").read_text()
    for kind, module in KINDS.items():
        assert f"`{kind}`" in page
        for setting in module.Settings.model_fields:
            assert f"`{setting}" in page, f"{kind}: {setting}"


@pytest.mark.road
def test_example_of_the_documentation_is_one_file_and_one_entry(project: Path) -> None:
    page = (ROOT / "docs/generators.md").read_text()
    code = next(re.finditer(r"```python\n(.*?)```", page, re.DOTALL)).group(1)
    entry = next(re.finditer(r"```yaml\n(generators:.*?)```", page, re.DOTALL)).group(1)
    name = re.search(r"kinds/(\w+)\.py", page.split("## Adding", 1)[1]).group(1)  # type: ignore[union-attr]
    (project / f"src/borderline/pipelines/gasten/kinds/{name}.py").write_text(code)
    path = project / "conf/test/parameters.yml"
    parameters = yaml.safe_load(path.read_text())
    generators = yaml.safe_load(entry)["generators"]
    parameters["generators"] |= generators
    parameters["grid"] = {"models": ["cnn_1"], "generators": list(generators)}
    path.write_text(yaml.safe_dump(parameters))
    result = kedro_run(project, "--env", "test", "--pipelines", "classifier,gasten,metrics")
    assert result.returncode == 0, result.stdout + result.stderr
    leaderboard = pd.read_csv(reporting_folder(project) / "cnn_1/leaderboard.csv")
    assert leaderboard["source"].tolist() == [*generators, "real images"]
    assert (leaderboard["images"][:-1] == 300).all()
    shutil.rmtree(project)
