"""Finds bad input before any work starts, and keeps the ledger of what was made with what."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from borderline import ledger
from borderline.context import BorderlineContext
from borderline.datasets.buckets import (
    check_bucket,
    is_bucket,
)
from borderline.datasets.image_source import SourceImages
from borderline.datasets.tensors import digest
from borderline.grid import GIVEN_STEP_1
from borderline.params import Mark
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.preflight.checkpoints import check_checkpoints, check_given_step_1
from borderline.preflight.images import check_same_images, check_source
from borderline.preflight.imports import check_imports, digests_of_imports
from borderline.preflight.inputs import (
    check_data_folder,
    check_inputs,
    check_judges,
    check_other_run,
    check_pairing,
    check_study_storage,
)

logger = logging.getLogger(__name__)


class PreflightHooks:
    """Finds bad input before any work starts, and keeps the ledger of what was made with what."""

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember what the checks need to know."""
        self.parameters = context.checked
        self.settings = {
            **context.checked.plain(Mark.NO_RESULT),
            **context.derived.plain(Mark.NO_RESULT),
        }
        self.about, self.layout = context.about, context.layout
        folder = context.about.data_folder
        self.data_folder = folder if is_bucket(folder) else str(context.project_path / folder)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Check device, inputs, settings, data folder and images; then open the ledger."""
        self.parameters.run.torch_device()
        if is_bucket(self.data_folder):
            check_bucket(catalog, self.data_folder)
        env = run_params["env"]
        command = f"kedro run{f' --env {env}' if env else ''}"
        named = run_params["pipeline_names"] or []
        requested = [name for name in named if name != "__default__"]
        stages = self._stages() | {name: pipelines[name] for name in BESIDE if name in requested}
        check_pairing(self.layout.pairing, requested)
        check_other_run(catalog, pipeline, self.parameters)
        check_given_step_1(catalog, self.parameters, self.about)
        check_inputs(pipeline, catalog, stages, requested, command)
        if not is_bucket(self.data_folder):
            check_data_folder(Path(self.data_folder))
        imports = digests_of_imports(catalog, self.parameters, self.layout, pipeline)
        check_checkpoints(catalog, self.parameters, self.layout, imports)
        check_judges(catalog, pipeline)
        check_study_storage(pipeline, self.about)
        book: ledger.Ledger = catalog.load("ledger") if catalog.exists("ledger") else {}
        self._given = {GIVEN_STEP_1: self.about.step_1_checkpoints, **imports}
        self._running = self._that_run(run_params, pipeline, catalog)
        ledger.check(book, stages, self._running, self.settings, command, self._given)
        entries = ledger.opened(book, stages, self._running)
        if "source" in pipeline.inputs():
            source: SourceImages = catalog.load("source")
            check_source(source, self.parameters)
            check_imports(catalog, pipeline, source, self.parameters, self.layout)
            parts = [part for part in (source.train, source.test) if part is not None]
            found = digest(
                *(tensor for part in parts for tensor in (part["images"], part["labels"]))
            )
            former = ledger.entry(book, ledger.SOURCE)
            check_same_images(found, former, self.data_folder)
            entries |= {ledger.SOURCE: {"digest": found}}
        catalog.save("ledger", entries)

    @hook_impl
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Enter the nodes, which ran to their end."""
        catalog.save("ledger", ledger.closed(self._running, self.settings, self._given))

    @staticmethod
    def _that_run(run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> Pipeline:
        if not run_params["only_missing_outputs"]:
            return pipeline
        # The runner leaves these out later, and the ledger must not say that they ran.
        missing = [n for n in pipeline.nodes if not all(map(catalog.exists, n.outputs))]
        return Pipeline(missing)

    @staticmethod
    def _stages() -> dict[str, Pipeline]:
        return {name: pipelines[name] for name in STAGES}
