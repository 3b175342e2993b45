"""Results in a bucket: a real server of S3's kind on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
import s3fs
import yaml
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from moto.server import ThreadedMotoServer

from borderline.commands.run import run as run_command
from conftest import copy_project, kedro_run_command

FOLDER = "bucket/results"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> s3fs.S3FileSystem:
    client = s3fs.S3FileSystem(
        key="key",
        secret="secret",
        client_kwargs={"endpoint_url": endpoint},
        skip_instance_cache=True,
    )
    # The servers of one process share what is in them.
    if not client.exists("bucket"):
        client.mkdir("bucket")
    return client


def configure(project: Path, parameters: dict[str, object], **entries: object) -> None:
    for name, content in (("globals", entries), ("parameters", parameters)):
        path = project / f"conf/test/{name}.yml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | content))


@pytest.mark.road
def test_whole_road_with_a_key_in_conf_local(
    bucket: s3fs.S3FileSystem, endpoint: str, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    grid = {"models": ["mlp_4"], "generators": ["gasten_10", "pixel_bisection"]}
    configure(project, {"grid": grid}, data_folder=f"s3://{FOLDER}", credentials="results")
    login = {"key": "key", "secret": "secret", "client_kwargs": {"endpoint_url": endpoint}}
    (project / "conf/local/credentials.yml").write_text(yaml.safe_dump({"results": login}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    result = subprocess.run(
        kedro_run_command("--env", "test"),
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert not (project / "data").exists(), "nothing is left on this machine"
    page = f"{FOLDER}/08_reporting/mnist_sample_7v1/report.html"
    assert f"s3://{page}" in result.stdout
    bucket.invalidate_cache()
    assert b"mlp_4" in bucket.cat_file(page)
    summary = pd.read_csv(BytesIO(bucket.cat_file(page.replace("report.html", "summary.csv"))))
    assert summary["model"].tolist() == ["mlp_4"]
    names = [path.rpartition("/")[2] for path in bucket.find(FOLDER)]
    assert "epoch_0003.pt" in names
    assert "studies.journal" in names
    assert not [name for name in names if name.startswith(".")], "nothing is left half-written"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            {"data_folder": "s3://nowhere/x"},
            ["data_folder is 's3://nowhere/x'", "AWS_ENDPOINT_URL"],
        ),
        (
            {"data_folder": f"s3://{FOLDER}", "credentials": "mine"},
            ["credentials is 'mine'", "conf/local/credentials.yml"],
        ),
    ],
)
def test_bucket_that_cannot_be_written_is_said_first(
    endpoint: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    entries: dict[str, str],
    words: list[str],
) -> None:
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", endpoint),
    ):
        monkeypatch.setenv(name, value)
    configure(project, {}, **entries)
    monkeypatch.chdir(project)
    bootstrap_project(project)
    result = CliRunner().invoke(run_command, ["--env", "test"])
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1
    assert len(errors) == 1, result.output
    for word in words:
        assert word in errors[0]
    assert not (project / "data").exists()
