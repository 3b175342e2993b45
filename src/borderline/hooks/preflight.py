"""Finds bad input before any work starts, and keeps the ledger of the settings of each node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from borderline import ledger
from borderline.errors import OnlySomeNodes
from borderline.grid import GIVEN_STEP_1
from borderline.hooks.marks import has_mark
from borderline.params import Mark, earlier, flat
from borderline.pipeline_registry import BESIDE, STAGES
from borderline.pipelines.explain_images.entries import OWN_IMAGES

if TYPE_CHECKING:
    from borderline.context import BorderlineContext

_ENDS = ("summary", "page", "gate")


class PreflightHooks:
    """Finds bad input before any work starts, and keeps the ledger of the settings of each node."""

    def __init__(self) -> None:
        self._started, self._seconds = dict[str, float](), dict[str, float]()
        self._digests = dict[str, Mapping[str, str] | None]()
        self._latest: Node | None = None

    @hook_impl
    def after_context_created(self, context: BorderlineContext) -> None:
        """Remember settings and data folder for the checks."""
        self.parameters = context.checked
        self.settings = {
            **context.checked.plain(Mark.NO_RESULT),
            **context.derived.plain(Mark.NO_RESULT),
        }
        self._earlier = dict(earlier({**dict(context.checked), **dict(context.derived)}))
        self.about, self.layout = context.about, context.layout
        self.data_folder = context.about.data_folder

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Check device, inputs, settings, data folder and images; then open the ledger."""
        from borderline.pipelines.classifier.pairs import check_distinct
        from borderline.preflight import epochs, inputs, results
        from borderline.preflight.checkpoints import check_checkpoints, check_given_step_1
        from borderline.preflight.gan_weights import check_gan_weights
        from borderline.preflight.groups import warn_of_images
        from borderline.preflight.imports import (
            check_imports,
            check_library_models,
            check_operating_point,
            digests_of_imports,
        )
        from borderline.preflight.models_on_disk import check_models
        from borderline.preflight.repaired import (
            check_repairable,
            check_repaired_there,
            digests_of_repaired,
            whole_call,
        )
        from borderline.preflight.repairs import check_numbers, check_repairs
        from borderline.preflight.suites import check_findings_of_gate, check_suites

        for of_nodes in (self._started, self._seconds, self._digests):
            of_nodes.clear()
        self._latest = None
        env = run_params["env"]
        call = whole_call(env, run_params["runtime_params"])
        command = call.command()
        requested = [n for n in run_params["pipeline_names"] or [] if n != "__default__"]
        names = [*STAGES, *(name for name in BESIDE if name in requested)]
        stages = {name: pipelines[name] for name in names}
        self.parameters.run.torch_device()
        results.check_places({"ledger", *pipeline.inputs()}, catalog)
        if "compare" in requested and self.layout.pairing is not None:
            inputs.check_comparison(pipeline, catalog, self.parameters, self.layout.pairing)
            results.check_other_run(pipeline, catalog)
        if "rating_answers" in pipeline.inputs():
            inputs.check_answers(catalog)
        if OWN_IMAGES in pipeline.inputs():
            # A folder that cannot be read ends the run here.
            own_images = catalog.load(OWN_IMAGES)
        check_findings_of_gate(pipeline, catalog)
        if "repair" in requested:
            check_repairable(self.layout)
        check_given_step_1(catalog, self.parameters, self.about)
        check_repaired_there(catalog, self.layout, pipeline, call)
        inputs.check_inputs(pipeline, catalog, stages, requested, command)
        if OWN_IMAGES in pipeline.inputs():
            inputs.check_own_images(own_images, pipeline, catalog)
        parameters, of_noise = epochs.with_noise_file(self.parameters, catalog)
        imports = digests_of_imports(catalog, parameters, self.layout, pipeline) | of_noise
        book: ledger.Ledger = catalog.load("ledger") if catalog.exists("ledger") else {}
        of_source = {"source": inputs.words_of_source(self.about)}
        self._earlier |= flat(of_source)
        self._earlier |= {n: value for n, value in imports.items() if n.endswith(ledger.CODE)}
        present = self.settings | imports | of_source
        imports |= digests_of_repaired(book, catalog, self.layout, pipeline, present, call)
        check_checkpoints(catalog, parameters, self.layout, imports)
        if "inception" in pipeline.inputs():
            # A file that cannot be read ends the run here.
            catalog.load("inception")
        inputs.check_study_storage(pipeline, catalog, self.about)
        self._given = {GIVEN_STEP_1: self.about.step_1_checkpoints, **imports, **of_source}
        self._running = pipeline
        # The report takes the answers of people if they are there.
        makers = {**stages, "rating": pipelines["rating"]}
        check_models(self._running, catalog, stages, command)
        check_repairs(catalog, self._running, parameters, self.layout)
        before = book, stages, self._running, self.settings, command, self._given
        ledger.check(*before, self._earlier)
        self._made = makers, self._running, command
        results.check_results(book, *self._made, pipeline, catalog)
        results.check_training(book, self._running, catalog)
        entries = ledger.opened(book, stages, self._running)
        source = catalog.load("source") if "source" in pipeline.inputs() else None
        check_suites(pipeline, catalog, parameters, source)
        if source is not None:
            inputs.check_source(source, parameters)
            check_numbers(self._running, source, parameters.repair)
            check_gan_weights(self._running, source, parameters.gan)
            check_operating_point(pipeline, source, parameters)
            check_imports(catalog, pipeline, source, parameters, self.layout)
            check_library_models(catalog, pipeline, source, parameters, self.layout)
            digest = inputs.digest_of_images(source)
            former = ledger.entry(book, ledger.SOURCE, results.SAME_IMAGES)
            dataset = self.about.dataset
            inputs.check_same_images(digest, dataset, former, self.data_folder)
            check_distinct(source, self.parameters.pair)
            warn_of_images(source, self.parameters)
            entries |= {ledger.SOURCE: {"digest": digest, "dataset": dataset}}
            read = {"names and columns": inputs.digest_of_words(source)}
            self._given["source"] = of_source["source"] | read
            self._earlier |= flat({"source": read})
            # Again, because names and columns come from the files.
            ledger.check(*before, self._earlier)
        # Last, because making all datasets takes a third of the time of these checks.
        results.check_places(pipeline.all_outputs(), catalog)
        if run_params["only_missing_outputs"]:
            digests = self._digests_in(catalog)
            made = self.settings, _is_there(catalog), digests, self._given, self._earlier
            names = ledger.unfinished(book, pipeline, *made)
            rest = Pipeline([node for node in pipeline.nodes if node.name in names])
            results.check_results(book, makers, rest, command, pipeline, catalog)
            raise OnlySomeNodes(names, len(pipeline.nodes))
        catalog.save("ledger", entries)

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Enter the node before, which has finished, and start the clock of this one."""
        # The main thread runs one node after the other, and none after an error.
        if threading.current_thread() is threading.main_thread():
            if self._latest is not None:
                self._enter(self._latest, catalog)
            self._latest = node
        self._started[node.name] = time.monotonic()

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Stop it, for now: a training saves after each epoch."""
        # A worker of a runner has the clock of its node in its own process.
        if node.name in self._started:
            self._seconds[node.name] = time.monotonic() - self._started[node.name]

    @hook_impl
    def after_node_finished(self, node: Node, catalog: DataCatalog, seconds: float) -> None:
        """Enter a node that another process has finished; :class:`DaskRunner` calls this."""
        self._seconds[node.name] = seconds
        self._enter(node, catalog)

    def _enter(self, node: Node, catalog: DataCatalog) -> None:
        from borderline.preflight.repaired import is_keeper

        # A repaired model is entered at the end, with the settings of all nodes before it.
        if not is_keeper(node.name):
            digests = self._digests_in(catalog)
            made = Pipeline([node]), self.settings, digests, self._given, self._seconds
            catalog.save("ledger", ledger.closed(*made))

    def _digests_in(self, catalog: DataCatalog) -> ledger.Digests:
        """Gives the digests of a dataset, and reads its files once in a run."""
        from borderline.preflight.results import digests_in

        present = digests_in(catalog)

        def digests(name: str) -> Mapping[str, str] | None:
            if name not in self._digests:
                self._digests[name] = present(name)
            return self._digests[name]

        return digests

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self, catalog: DataCatalog) -> None:
        """Enter the nodes, which have all finished."""
        from borderline.preflight.repaired import digests_of_made, with_origins

        # A network folder may show files of other machines late: the digests are taken again.
        if self._latest is None:
            self._digests.clear()
        digests = self._digests_in(catalog)
        given = self._given | digests_of_made(catalog, self.layout, self._running)
        entries = ledger.closed(self._running, self.settings, digests, given, self._seconds)
        road = Pipeline(pipelines[name] for name in (*STAGES, "repair"))
        catalog.save("ledger", with_origins(entries, road, self.settings, given))

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception, catalog: DataCatalog) -> None:
        """Name the command that makes a damaged file again."""
        from borderline.preflight import results

        results.explain(error, *self._made, catalog)


def _is_there(catalog: DataCatalog) -> Callable[[str], bool]:
    """Tells whether a dataset is saved, and need not be made again.

    The table, the pages and the gate of a run are made again, so that it ends as each run does.
    """

    def is_there(name: str) -> bool:
        dataset = catalog.get(name)
        if getattr(dataset, "_EPHEMERAL", True):
            return False
        return catalog.exists(name) and not any(has_mark(dataset, mark) for mark in _ENDS)

    return is_there
