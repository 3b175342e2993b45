from __future__ import annotations

import pytest

from borderline.findings import Measured
from borderline.pages.verdicts import verdict_on, verdicts_in_short
from conftest import findings_of

SHARE = "74 % [70, 78] of its images"


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            "weakness",
            f"The model's weakness: {SHARE} are clearly 7 or clearly 1 to the committee of 3 "
            "judges.",
        ),
        (
            "ambiguous",
            f"Ambiguous: the committee of 3 judges splits between 7 and 1 on {SHARE}.",
        ),
        (
            "another_class",
            f"Another class: {SHARE} are neither 7 nor 1 to the committee of 3 judges.",
        ),
        (
            "unrealistic",
            f"Unrealistic: {SHARE} are farther from all training images than nearly every real "
            "test image.",
        ),
        ("memorised", f"Memorised: {SHARE} nearly copy a training image."),
        (
            "undecided",
            f"Undecided: no other verdict holds for {SHARE} (the model's weakness 74 %).",
        ),
    ],
)
def test_verdict_is_one_sentence_with_its_share(verdict: str, sentence: str) -> None:
    findings = findings_of()
    pattern = findings.patterns[0].model_copy(update={"verdict": verdict})
    assert verdict_on(pattern, findings) == sentence


def test_mixed_pattern_lists_its_shares() -> None:
    findings = findings_of()
    shares = {"weakness": 0.4, "ambiguous": 0.5, "memorised": 0.0, "undecided": 0.1}
    changed = {"verdict": "mixed", "verdict_share": None, "verdict_shares": shares}
    assert verdict_on(findings.patterns[0].model_copy(update=changed), findings) == (
        "Mixed: no verdict prevails (ambiguous 50 %, the model's weakness 40 %, undecided 10 %)."
    )


def test_single_image_has_a_verdict_without_a_share() -> None:
    findings = findings_of()
    changed = {"verdict": "unrealistic", "verdict_share": None, "verdict_low": None}
    pattern = findings.patterns[0].model_copy(update=changed)
    assert verdict_on(pattern, findings) == "Unrealistic: the verdict on its only image."


def test_judge_without_a_head_is_named_as_the_reason() -> None:
    findings = findings_of(judges=0)
    changed = {"verdict": "undecided"}
    sentence = verdict_on(findings.patterns[0].model_copy(update=changed), findings)
    assert sentence.startswith("No verdict. The judge is an encoder without a head")
    assert "has no opinion on these images" in verdicts_in_short(findings)
    memorised = findings.patterns[0].model_copy(update={"verdict": "memorised"})
    assert verdict_on(memorised, findings).startswith("Memorised: ")


def test_short_sentence_has_the_measures() -> None:
    measures = findings_of().measures | {
        name: Measured(value=value)
        for name, value in {"weakness": 0.5, "ambiguous": 0.25, "another_class": 0.02}.items()
    }
    measures |= {"memorised": Measured(value=0.0), "unrealistic": Measured(value=0.1)}
    assert verdicts_in_short(findings_of(measures=measures)) == (
        "Verdicts of the committee of 3 judges on these images: memorised 0 %, unrealistic 10 %, "
        "another class 2 %, the model's weakness 50 %, ambiguous 25 %; else undecided."
    )
    assert verdicts_in_short(findings_of(measures=measures, real_verdicts={})).endswith(
        "undecided."
    )
    none = measures | dict.fromkeys(
        ("weakness", "ambiguous", "another_class", "memorised", "unrealistic"), Measured()
    )
    assert verdicts_in_short(findings_of(measures=none)) == ""
    assert "Verdicts of the judge on" in verdicts_in_short(findings_of(judges=1))


@pytest.mark.parametrize(
    ("real", "said"),
    [
        # Half of the generated images, [.4, .6], is a weakness; a quarter, [.2, .3], is ambiguous.
        ((0.55, 0.25), ""),
        ((0.9, 0.25), "differ by more than chance in: the model's weakness. So"),
        ((0.9, 0.05), "differ by more than chance in: the model's weakness, ambiguous. So"),
        ((None, None), ""),
    ],
)
def test_shares_of_real_images_stand_beside(
    real: tuple[float | None, float | None], said: str
) -> None:
    def around(value: float | None, half: float) -> Measured:
        if value is None:
            return Measured(n=0)
        return Measured(value=value, low=value - half, high=value + half, n=97)

    names = ("weakness", "ambiguous")
    generated = dict(zip(names, (around(0.5, 0.1), around(0.25, 0.05)), strict=True))
    of_real = dict(zip(names, (around(value, 0.04) for value in real), strict=True))
    findings = findings_of(measures=findings_of().measures | generated, real_verdicts=of_real)
    sentence = verdicts_in_short(findings)
    if real[0] is None:
        assert sentence.endswith("else undecided. No real test image is in the band.")
        bare = findings.model_copy(update={"real_verdicts": {}})
        assert verdicts_in_short(bare).endswith("else undecided."), "of an earlier version"
    else:
        listed = f"the model's weakness {real[0]:.0%}, ambiguous {real[1]:.0%}".replace("%", " %")
        assert f"On the real test images in the band (97): {listed}." in sentence
    assert ("differ by" in sentence) == bool(said)
    assert said in sentence
    few = {name: measure.model_copy(update={"n": 9}) for name, measure in of_real.items()}
    sentence = verdicts_in_short(findings.model_copy(update={"real_verdicts": few}))
    assert "differ by" not in sentence
    assert sentence.endswith("too few to compare.") == (real[0] is not None)
