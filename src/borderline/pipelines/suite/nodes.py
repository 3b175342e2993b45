"""The node of the suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

    from borderline.params import CallParams, RunParams
    from borderline.pipelines.suite.params import SuiteParams
    from borderline.records import Clusters, Part, Prototypes


def freeze_suite(
    borderline: Part,
    verdicts_table: DataFrame,
    human_labels: dict[str, Any],
    human_verdicts: dict[str, Any],
    clusters: Clusters,
    prototypes: Prototypes,
    installation: dict[str, Any],
    parameters: dict[str, Any],
    suites_to_merge: Mapping[str, Mapping[str, bytes]],
    *,
    dataset: str,
    license_name: str | None,
    suite: SuiteParams,
    call: CallParams,
    run: RunParams,
    **findings: dict[str, Any],
) -> dict[str, bytes]:
    """The files of a model's suite, with the images of ``suite.merge``.

    ``findings`` has one entry, ``<model>.findings``, whose name tells the model.
    """
    from borderline.findings import Findings, digest_of_patterns
    from borderline.pipelines.suite.freezing import Found, digest_of_settings, freeze
    from borderline.suites.folder import files_of, suites_of
    from borderline.suites.merging import merge
    from borderline.verdicts.people import answers_of

    ((name, values),) = findings.items()
    model = name.removesuffix(".findings")
    found = Found(model, borderline, verdicts_table, clusters, prototypes, Findings.read(values))
    made_for = digest_of_patterns(borderline, clusters, prototypes)
    answers = answers_of(human_labels, human_verdicts, made_for, len(verdicts_table))
    frozen = freeze(
        *(found, answers, suite.images, dataset, run.generator("suite", model)),
        borderline=installation["packages"]["borderline"],
        seed=run.seed,
        settings=digest_of_settings(parameters, call.listed),
        license=license_name,
    )
    others = suites_of(suites_to_merge)
    return files_of(merge([frozen, *others.values()], [f"{model} of this run", *others]))
