"""Each term against an independent computation, in value and in gradient."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from borderline.pipelines.gasten.confusion_term import ConfusionTerm
from borderline.pipelines.gasten.terms import TERMS
from conftest import ROOT

LOGITS = 3 * torch.randn(40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def kl_of_bernoullis(q: float, p: np.ndarray) -> np.ndarray:
    return q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))


# The value as a function of the logits, and its derivative by p where the term is one of p.
FORMULAS: dict[str, tuple[Callable, Callable]] = {
    "gasten": (
        lambda logits: np.abs(sigmoid(logits) - 0.5).mean(),
        lambda p: np.sign(p - 0.5),
    ),
    "gaussian": (
        lambda logits: np.mean(0.5 * (np.log(0.01) + (sigmoid(logits) - 0.5) ** 2 / 0.01)),
        lambda p: (p - 0.5) / 0.01,
    ),
    "kl": (
        lambda logits: kl_of_bernoullis(0.5, sigmoid(logits)).mean(),
        lambda p: (p - 0.5) / (p * (1 - p)),
    ),
    "logit": (
        lambda logits: np.abs(np.log(sigmoid(logits) / (1 - sigmoid(logits)))).mean(),
        lambda p: np.sign(p - 0.5) / (p * (1 - p)),
    ),
}
FORMULAS |= {"gaussian_two_step": FORMULAS["gaussian"]}
FORMULAS |= {"mgda": FORMULAS["gasten"], "mgda_norm": FORMULAS["gasten"]}


def test_every_term_has_its_formula() -> None:
    assert set(FORMULAS) == set(TERMS)


def test_only_mgda_finds_its_weight_and_takes_two_gradients() -> None:
    mgda = {"mgda", "mgda_norm"}
    assert {name for name, term in TERMS.items() if term.weight is None} == mgda
    assert {name for name, term in TERMS.items() if term.takes_two_gradients} == mgda


@pytest.mark.parametrize("name", TERMS)
def test_value_is_that_of_the_formula(name: str) -> None:
    assert TERMS[name]().loss(LOGITS).item() == pytest.approx(
        FORMULAS[name][0](LOGITS.numpy()), rel=1e-12
    )


@pytest.mark.parametrize("name", TERMS)
def test_gradient_is_that_of_the_formula_and_of_finite_differences(name: str) -> None:
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(TERMS[name]().loss(logits), logits)
    p = sigmoid(LOGITS.numpy())
    expected = FORMULAS[name][1](p) * p * (1 - p) / len(p)
    assert np.allclose(gradient.numpy(), expected, rtol=1e-9)
    for i in range(len(p)):
        step = np.zeros(len(p))
        step[i] = 1e-6
        values = [FORMULAS[name][0](LOGITS.numpy() + sign * step) for sign in (1, -1)]
        assert gradient[i].item() == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("name", TERMS)
def test_term_is_least_on_the_boundary_and_even(name: str) -> None:
    term = TERMS[name]().loss
    on_the_boundary = term(torch.zeros(1, dtype=torch.float64)).item()
    for logit in (0.01, 0.5, 2.0, 9.0):
        away = [term(torch.tensor([x], dtype=torch.float64)).item() for x in (-logit, logit)]
        assert away[0] == pytest.approx(away[1])
        assert away[0] > on_the_boundary


def test_known_values() -> None:
    boundary, sure = torch.zeros(1), torch.tensor([1000.0])
    assert [TERMS[name]().loss(boundary).item() for name in ("gasten", "kl", "logit")] == [0, 0, 0]
    assert TERMS["gasten"]().loss(sure).item() == 0.5
    assert TERMS["gaussian"]().loss(boundary).item() == pytest.approx(0.5 * math.log(0.01))
    assert TERMS["gaussian"]().loss(sure).item() == pytest.approx(0.5 * (math.log(0.01) + 25))
    for name in ("kl", "logit"):
        assert math.isfinite(TERMS[name]().loss(sure)), (
            "p rounds to 1, where the formula would be infinite"
        )


def test_where_the_model_is_sure_only_kl_and_logit_still_pull() -> None:
    def pull(name: str) -> float:
        logits = torch.tensor([30.0], requires_grad=True)
        return torch.autograd.grad(TERMS[name]().loss(logits), logits)[0].abs().item()

    assert pull("gasten") < 1e-12
    assert pull("gaussian") < 1e-11
    assert pull("kl") == pytest.approx(0.5)
    assert pull("logit") == pytest.approx(1)


def test_example_of_the_documentation_is_one_file() -> None:
    section = (ROOT / "docs/generators.md").read_text().split("## Adding a term")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    namespace: dict[str, Any] = {"__name__": "square"}
    exec(code.group(1), namespace)
    term: ConfusionTerm = namespace["Term"]()
    assert term.weight == 10
    assert not term.takes_two_gradients
    assert term.loss(torch.tensor([0.0, 1000.0])) == 0.125


def test_every_term_is_documented_with_its_weight() -> None:
    page = (ROOT / "docs/generators.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (\d+|none) \| [^|]+ \|$", page, re.MULTILINE))
    weights = {name: None if weight == "none" else float(weight) for name, weight in rows.items()}
    assert weights == {name: term.weight for name, term in TERMS.items()}
