"""A suite as a folder of files without code."""

from __future__ import annotations

from collections.abc import Mapping

from borderline.suites.suite import Suite


def files_of(suite: Suite) -> dict[str, bytes]:
    """The content of each file of a suite's folder, by name."""
    raise NotImplementedError


def suite_of(files: Mapping[str, bytes], folder: str) -> Suite:
    """The suite of the files of a folder; ``folder`` is its name in messages."""
    raise NotImplementedError


def write_suite(suite: Suite, folder: str) -> None:
    """Write a suite to a folder, which must not exist yet."""
    raise NotImplementedError


def read_suite(folder: str) -> Suite:
    """Read the suite of a folder: its path, or its address in a bucket.

    Raises:
        BorderlineError: When it is no whole, unchanged suite; the sentence names the folder.
    """
    raise NotImplementedError


def digest_of(suite: Suite) -> str:
    """The fingerprint of a suite's content: the SHA-256 of its ``suite.json``."""
    raise NotImplementedError
