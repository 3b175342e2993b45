"""A bucket that cannot be used is one sentence; test_deployment.py runs the whole road in one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conftest import run_here


def configure(project: Path, **entries: object) -> None:
    path = project / "conf/test/globals.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | entries))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            {"data_folder": "s3://nowhere/x"},
            ["data_folder is 's3://nowhere/x'", "AWS_ENDPOINT_URL"],
        ),
        (
            {"data_folder": "s3://bucket/results", "credentials": "mine"},
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
