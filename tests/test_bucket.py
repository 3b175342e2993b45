"""Results in a bucket: a real server of S3's kind on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
import s3fs
import yaml
from moto.server import ThreadedMotoServer

from conftest import cut_short, run_here

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


def configure(project: Path, **entries: object) -> None:
    path = project / "conf/test/globals.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | entries))


@pytest.mark.road
def test_whole_road_with_a_key_in_conf_local(
    bucket: s3fs.S3FileSystem, endpoint: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(cut_short(project), data_folder=f"s3://{FOLDER}", credentials="results")
    login = {"key": "key", "secret": "secret", "client_kwargs": {"endpoint_url": endpoint}}
    (project / "conf/local/credentials.yml").write_text(yaml.safe_dump({"results": login}))
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    result = run_here(project, "--env", "test")
    assert result.exit_code == 0, result.output
    assert not (project / "data").exists(), "nothing is left on this machine"
    page = f"{FOLDER}/08_reporting/mnist_sample_7v1/report.html"
    assert f"s3://{page}" in result.stdout
    bucket.invalidate_cache()
    assert b"cnn_1" in bucket.cat_file(page)
    summary = pd.read_csv(BytesIO(bucket.cat_file(page.replace("report.html", "summary.csv"))))
    assert summary["model"].tolist() == ["cnn_1"]
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
    configure(project, **entries)
    result = run_here(project, "--env", "test")
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.exit_code == 1
    assert len(errors) == 1, result.output
    for word in words:
        assert word in errors[0]
    assert not (project / "data").exists()
