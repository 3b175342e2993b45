"""Lets one run at a time write to a data folder and case."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline.datasets.buckets import check_bucket, is_bucket
from borderline.errors import BorderlineError
from borderline.locks import Lock, Locked, shared_run_id

if TYPE_CHECKING:
    from borderline.context import BorderlineContext

_NAME = ".lock"


class LockHooks:
    """Holds the lock of the case around all other hooks and nodes of a run.

    Workers of a runner share it, because they are part of the run and call none of these hooks.
    Kedro calls no hook after an interrupt. The lock is then released when Python ends, or the cell
    of a notebook.
    """

    def __init__(self) -> None:
        self._lock: Lock | None = None

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember the data folder, and where another run of a comparison is."""
        self._about, self._project = context.about, context.project_path
        self._folder = context.about.data_folder
        pairing = context.layout.pairing
        self._elsewhere = pairing is not None and pairing.elsewhere

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> Generator[None, Any, Any]:
        """Take the lock before the first check, which reads the ledger."""
        from borderline.preflight.folders import check_folders

        self._release()
        if is_bucket(self._folder):
            check_bucket(catalog, self._folder)
        else:
            check_folders(catalog, self._about, self._project)
        if self._elsewhere and "compare" in (run_params["pipeline_names"] or []):
            _check_other_run(pipeline, catalog)
        ledger: Any = catalog.get("ledger")
        self._lock = _lock_of(ledger._filesystem, ledger._path, run=shared_run_id())
        self._lock.acquire()
        _at_end_of_cell(self._release)
        try:
            return (yield)
        except BaseException:
            self._release()
            raise

    @hook_impl
    def before_dataset_saved(self) -> None:
        """End the run if another one has taken its lock over."""
        if self._lock is not None and self._lock.lost:
            raise BorderlineError(
                f"This run has lost the lock of {self._folder}, because it gave no sign of life "
                "for minutes or its lock was removed: make sure that no other run writes there, "
                "then run again; finished epochs stay."
            )

    @hook_impl(tryfirst=True)
    def after_node_finished(self) -> None:
        """End a run on workers, which have no lock of their own, before it enters the node."""
        self.before_dataset_saved()

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """Give the lock back after all other hooks, also if one of them fails."""
        try:
            self.before_dataset_saved()
            return (yield)
        finally:
            self._release()

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Generator[None, Any, Any]:
        """Give the lock back after an error."""
        try:
            return (yield)
        finally:
            self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


def _at_end_of_cell(release: Callable[[], None]) -> None:
    """Release when the cell of a notebook that runs now has ended; the kernel itself goes on."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None:
        return

    def ended(_: Any) -> None:
        shell.events.unregister("post_run_cell", ended)
        release()

    shell.events.register("post_run_cell", ended)


def _lock_of(fs: Any, inside: str, run: str | None = None) -> Lock:
    """The lock beside a folder or file of ``06_models/<case>``."""
    folder = inside.rstrip("/").rpartition("/")[0]
    return Lock(fs, f"{fs._strip_protocol(folder)}/{_NAME}", folder, run=run)


def _check_other_run(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Make sure that nobody writes the other run of a comparison now."""
    for name in sorted(pipeline.inputs()):
        if name.startswith("other_run.") and name.endswith(".classifier"):
            dataset: Any = catalog.get(name)
            # The file is 06_models/<case>/<model>/classifier/classifier.safetensors.
            case = str(dataset._filepath.parents[2])
            try:
                _lock_of(dataset._fs, f"{case}/ledger").check_free()
            except Locked as error:
                raise BorderlineError(
                    f"other_run.data_folder cannot be read now: {error}"
                ) from error
