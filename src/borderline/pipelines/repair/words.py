"""The outcome of a repair in words, and as a record for the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from borderline.findings import Measured, Repair, RepairedArm, written
from borderline.measures.intervals import Estimate
from borderline.pipelines.repair.circumstances import Circumstances
from borderline.pipelines.repair.comparison import LEVEL, MAIN, MEASURES
from borderline.pipelines.repair.outcomes import ARMS, AS_IS
from borderline.pipelines.repair.params import AGAIN, RepairParams

# The first arm of these that was trained is the one that the first sentence is about.
_SUBJECTS = ("boundary", "prototypes", "soft", "random", "uncertain", "augmented")
_FRESH = "fresh_balanced_accuracy"
_SECONDARY = [n for n, m in MEASURES.items() if n not in (MAIN, "accuracy")]

Row = Mapping[str, Any]


def describe(
    table: pd.DataFrame, about: Circumstances, repair: RepairParams, made_for: str
) -> Repair:
    """The outcome for the report: the sentences, the conclusion first, and a row an arm.

    Args:
        table: The table of :func:`compare_arms`.
        about: The circumstances.
        repair: The settings.
        made_for: The fingerprint of the patterns.
    """
    rows = {(r["arm"], r["measure"]): r for r in _records(table[table["pattern"].isna()])}
    main = {arm: row for (arm, measure), row in rows.items() if measure == MAIN}
    subject = next(arm for arm in _SUBJECTS if arm in main)
    patterns = _records(table[table["pattern"].notna() & (table["arm"] == subject)])
    says = [
        *_untried(about.left_out),
        _conclusion(subject, main, about.left_out),
        *_majority(subject, main),
        *_others(subject, main),
        _secondary(subject, [rows[subject, name] for name in _SECONDARY]),
        _on_patterns(subject, patterns, int(rows[subject, "fresh_accuracy"]["images"])),
        *about.added,
        *_on_left_out(about.left_out),
        *_on_diverged(about.diverged),
        _on_kept(about, repair, float(main[AS_IS]["mean"])),
        _method(repair.seeds, int(main[subject]["images"])),
    ]
    return Repair(
        made_for=made_for,
        says=tuple(says),
        kept=about.kept,
        seeds=repair.seeds,
        test_images=int(main[subject]["images"]),
        fresh_images=int(rows[subject, "fresh_accuracy"]["images"]),
        arms=tuple(_arm(arm, row, rows[arm, _FRESH]) for arm, row in main.items()),
    )


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _arm(arm: str, row: Row, fresh: Row) -> RepairedArm:
    return RepairedArm(
        name=arm,
        title=ARMS[arm],
        error=_measured(row, ("mean", "low", "high")),
        to_again=_measured(row, _of("again")),
        to_again_p=_known(row["again_corrected_p"]),
        to_random=_measured(row, _of("random")),
        to_random_p=_known(row["random_corrected_p"]),
        fresh=_measured(fresh, ("mean", "low", "high")),
    )


def _measured(row: Row, names: Iterable[str]) -> Measured:
    return Measured.of(Estimate(*(float(row[name]) for name in names)), row["images"])


def _of(control: str) -> tuple[str, str, str]:
    return (f"{control}_difference", f"{control}_low", f"{control}_high")


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def significant(row: Row, control: str = AGAIN) -> int:
    """-1 where the arm is significantly lower than the control, 1 where higher, else 0."""
    if not row[f"{control}_corrected_p"] <= LEVEL:
        return 0
    return 1 if row[f"{control}_difference"] > 0 else -1


def _untried(left_out: Mapping[str, str]) -> Iterator[str]:
    if why := left_out.get(_SUBJECTS[0]):
        unknown = "Whether borderline images help here is unknown"
        yield f"{unknown}: their arm is left out, because it has {why}."


def _conclusion(subject: str, main: Mapping[str, Row], left_out: Mapping[str, str]) -> str:
    """One sentence: do borderline images help?"""
    row, control = main[subject], main[AGAIN]
    name = ARMS[subject].capitalize()
    images = f"on {_count(row['images'], 'test image')}"
    before, after = _percent(control["mean"]), _percent(row["mean"])
    if math.isnan(row["mean"]) or math.isnan(control["mean"]):
        return f"Whether {ARMS[subject]} help is unknown: all trainings of an arm diverged."
    change = significant(row)
    if change == 0:
        errors = f"the error {images} is {after} with them and {before} without"
        if math.isnan(row["again_p"]) and row["again_difference"] != 0:
            return (
                f"Whether {ARMS[subject]} help here cannot be tested: {errors}, but the difference "
                "does not vary over the seeds, or too few are left."
            )
        return f"{name} do not help here: {errors} ({_difference(row)}), no significant difference."
    how = "falls" if change < 0 else "rises"
    moved = f"the error {images} {how} from {before} to {after} ({_difference(row)})"
    if change > 0:
        return f"{name} make it worse here: {moved}."
    if subject == "random":
        return f"{name} lower the error here: {moved}."
    if "random" not in main:
        why = left_out.get("random")
        why = f"their arm has {why}" if why else "repair.arms does not name 'random'"
        return (
            f"{name} lower the error here: {moved}. Whether random generated images do the same is "
            f"unknown, because {why}."
        )
    beside, random = significant(row, "random"), main["random"]
    against = _difference(row, "random")
    if beside < 0:
        return (
            f"{name} help here: {moved}, further than with random generated images "
            f"({_difference(row, 'random', 'difference between both')})."
        )
    if beside > 0:
        return (
            f"{name} lower the error here, but random generated images more: {moved}; with random "
            f"generated images it is {_percent(random['mean'])} ({against})."
        )
    if significant(random) < 0:
        return (
            f"{name} lower the error here, but so do random generated images: {moved}; with "
            f"random generated images it is {_percent(random['mean'])} ({against})."
        )
    return (
        f"{name} lower the error here, but not significantly further than random generated images: "
        f"{moved}; with random generated images it is {_percent(random['mean'])} ({against})."
    )


def _majority(subject: str, main: Mapping[str, Row]) -> Iterator[str]:
    """McNemar's test of the subject against each control."""
    for control in (AGAIN, "random"):
        row = main[subject]
        if math.isnan(row[f"{control}_mcnemar_p"]):
            continue
        other = "without added images" if control == AGAIN else f"with {ARMS[control]}"
        alone, of_other = (int(row[f"{control}_only_{who}_wrong"]) for who in ("arm", "control"))
        p = row[f"{control}_mcnemar_corrected_p"]
        yield (
            f"By the majority of the trainings, {_count(alone, 'test image')} "
            f"{'is' if alone == 1 else 'are'} wrong only with {ARMS[subject]}, and {of_other:,} "
            f"only {other}; over the test images this difference is "
            f"{'significant' if p <= LEVEL else 'not significant'} (McNemar's test, corrected "
            f"{_p(p)})."
        )


def _others(subject: str, main: Mapping[str, Row]) -> Iterator[str]:
    """The other arms, which are significantly better or worse than the control."""
    others = [arm for arm in main if arm not in (subject, AGAIN, AS_IS)]
    if not others:
        return
    changed = [arm for arm in others if significant(main[arm])]
    for change, verb in ((-1, "lower"), (1, "raise")):
        moved = [
            f"{ARMS[arm]} ({_difference(main[arm])})"
            for arm in changed
            if significant(main[arm]) == change
        ]
        if moved:
            yield f"Also compared with no added images, these {verb} the error: {'; '.join(moved)}."
    if not changed:
        named = ", ".join(ARMS[arm] for arm in others)
        yield f"No other arm changes the error significantly ({named})."


def _secondary(subject: str, rows: Sequence[Row]) -> str:
    """The secondary measures that the subject changes."""
    changed = [_changed(row) for row in rows if significant(row)]
    if not changed:
        return f"No secondary measure changes significantly with {ARMS[subject]}."
    return f"Secondary measures that change with {ARMS[subject]}: {'; '.join(changed)}."


def _changed(row: Row) -> str:
    measure, near = MEASURES[row["measure"]], row["measure"] == "error_near"
    title = "error near it" if near and pd.notna(row["pattern"]) else measure.title
    to, by = row["mean"], row["again_difference"]
    form = _percent if measure.percent else _number
    worse = ", worse" if by * measure.better < 0 else ""
    ends = f"{form(to - by)} to {form(to)}{worse}"
    return f"{title}, {ends} (corrected {_p(row['again_corrected_p'])})"


def _on_patterns(subject: str, rows: Sequence[Row], fresh_images: int) -> str:
    """The patterns whose fresh accuracy or near errors the subject changes."""
    unknown = "" if fresh_images else " There are no fresh images that the committee is sure of."
    if not rows:
        return f"There are no patterns to compare.{unknown}"
    changed = [
        f"pattern {int(row['pattern'])}: {_changed(row)}" for row in rows if significant(row)
    ]
    if changed:
        return f"Patterns that change with {ARMS[subject]}: {'; '.join(changed)}.{unknown}"
    return (
        "No pattern's accuracy on fresh images or error near it changes significantly with "
        f"{ARMS[subject]}.{unknown}"
    )


def _on_left_out(left_out: Mapping[str, str]) -> Iterator[str]:
    for why in dict.fromkeys(left_out.values()):
        arms = [arm for arm, reason in left_out.items() if reason == why]
        named = ", ".join(ARMS[arm] for arm in arms)
        yield f"Arms that are left out: {named}. Each of them has {why}."


def _on_diverged(names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"Diverged, and therefore without scores: {', '.join(names)}."


def _on_kept(about: Circumstances, repair: RepairParams, as_is: float) -> str:
    """The kept model and its error beside that of the model as it is, which it would replace."""
    errors = (
        f"The kept model has an error of {_percent(about.kept_error)} on the test images, the "
        f"model as it is {_percent(as_is)}: both are single trainings."
    )
    named = f"The model with {ARMS[about.kept]} is kept"
    if repair.keep is not None:
        return f"{named}, as the setting repair.keep says. {errors}"
    return (
        f"{named}: among the arms with added images it has the lowest mean loss on "
        f"the selection images, {about.selection_loss:.4f}. Test images have "
        f"no part in this choice. {errors}"
    )


def _method(seeds: int, images: int) -> str:
    return (
        f"The error is the main outcome; all other measures are secondary. Intervals (95 %) and t "
        f"tests are over {seeds} training seeds, paired, on these {_count(images, 'test image')}: "
        "they do not cover the choice of the test images. P-values are corrected over the arms of "
        "a measure (Benjamini and Hochberg 1995), intervals are not: the corrected p-value decides."
    )


def _difference(row: Row, control: str = AGAIN, name: str = "difference") -> str:
    value, low, high = (100 * float(row[name]) for name in _of(control))
    ends = "" if math.isnan(low) else f" [{low:+z.2f}, {high:+z.2f}]"
    p = row[f"{control}_corrected_p"]
    tested = "" if math.isnan(p) else f", corrected {_p(p)}"
    if p > LEVEL and (low > 0 or high < 0):
        tested += ", which decides, because the interval is not corrected"
    return f"{name} {value:+z.2f}{ends} points{tested}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _percent(share: float) -> str:
    return written("{:z.2%}", share)


def _number(value: float) -> str:
    return f"{value:z.4f}"


def _count(number: float, word: str) -> str:
    return f"{number:,.0f} {word}{'' if number == 1 else 's'}"
