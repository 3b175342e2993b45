from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.judge import ImportedJudge
from borderline.imported.params import ImportedJudgeParams
from borderline.params import merged
from borderline.pipelines.classifier.judges import committee_of
from conftest import base_settings
from elsewhere import SOURCES, Net, saved

SHAPE = (1, 12, 12)
CPU = torch.device("cpu")


def judge_of(kind: str, model: Net, **changed: Any) -> ImportedJudge:
    source = {"kind": kind, **SOURCES.get(kind, {}), **changed.pop("source", {})}
    defaults = base_settings()["judge_kinds"]["imported"]
    values = merged(defaults, {"kind": "imported", "source": source, **changed})
    params = ImportedJudgeParams.model_validate(values)
    return ImportedJudge(params, saved(kind, model, images()), SHAPE)


def images(count: int = 6) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_gives_logits_and_features(kind: str, model: Net) -> None:
    judge, x = judge_of(kind, model), images()
    torch.testing.assert_close(judge(x), model((x + 1) / 2))
    torch.testing.assert_close(model.last(judge.embed(x)), judge(x))
    again = pickle.loads(pickle.dumps(judge))
    assert torch.equal(again(x), judge(x))
    assert again.digest == judge.digest
    assert judge.embed(x[:0]).shape == (0, 8)


def test_probabilities_are_the_softmax_of_the_logits(model: Net) -> None:
    judge = judge_of("state_dict", model)
    shares = judge(images()).softmax(1)
    judge.params = judge.params.model_copy(update={"outputs": "probabilities"})
    judge.network.forward = lambda x: model(x).softmax(1)  # type: ignore[method-assign]
    torch.testing.assert_close(judge(images()).softmax(1), shares)


def test_encoder_without_a_head_has_features_and_no_opinion(model: Net) -> None:
    judge = judge_of("state_dict", model, outputs=None)
    torch.testing.assert_close(judge.embed(images()), model((images() + 1) / 2))
    assert (judge.has_head, judge.layer) == (False, "output")
    committee = committee_of([judge], ["zero", "one"], (1, 0))
    assert (committee.members, committee.classes) == ((), ())


def test_columns_are_the_classes_or_those_of_the_setting(model: Net) -> None:
    as_classes = committee_of([judge_of("state_dict", model)], ["zero", "one"], (1, 0))
    assert (as_classes.classes, as_classes.positive, as_classes.negative) == (("zero", "one"), 1, 0)
    wide = Net(4).eval()
    source = {"arguments": {"outputs": 4}}
    judge = judge_of("state_dict", wide, source=source, columns=[2, 3])
    committee = committee_of([judge], ["one", "seven"], (1, 0))
    assert committee.classes == ("column 0", "column 1", "seven", "one")
    opinion = committee.opinion(images(), CPU)
    torch.testing.assert_close(opinion.probabilities, wide((images() + 1) / 2).softmax(1))
    assert (opinion.disagreement == 0).all()


def test_layer_that_is_not_there(model: Net) -> None:
    with pytest.raises(BorderlineError, match=r"embedding is 'nosuch'.*set outputs to null"):
        judge_of("state_dict", model, embedding="nosuch")
