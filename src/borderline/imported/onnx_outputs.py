"""The output of an ONNX model that holds the class scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from borderline.errors import BorderlineError, did_you_mean

_FLOATS = ("tensor(float)", "tensor(double)", "tensor(float16)", "tensor(bfloat16)")
# Usual names, the best first; those of scikit-learn and LightGBM among them.
_NAMES = (
    *("logits", "probabilities", "output_probability", "probability", "probs", "prob"),
    *("softmax", "scores", "predictions"),
)


class Output(NamedTuple):
    """An output as onnxruntime describes it; an empty shape is unknown."""

    name: str
    type: str
    shape: Sequence[int | str | None]

    @property
    def holds_floats(self) -> bool:
        """Whether it is a tensor of floats; integers and truth values are labels."""
        return self.type in _FLOATS

    @property
    def said(self) -> str:
        """The name, type and shape for messages."""
        sides = ", ".join("N" if not isinstance(n, int) else str(n) for n in self.shape)
        return f"{self.name}: {self.type.removeprefix('tensor').strip('()')} ({sides})"


def name_of_scores(outputs: Sequence[Output], setting: str | int | None) -> str:
    """The name of the output with the class scores.

    Args:
        outputs: The outputs of the model.
        setting: The name or the position that the user gives.

    Raises:
        BorderlineError: When none or several may be meant; the sentence begins with ``output``.
    """
    if setting is not None:
        return _given(outputs, setting)
    floats = [output for output in outputs if output.holds_floats]
    if not floats:
        raise BorderlineError(
            f"output is None, but no output of the model holds probabilities or logits "
            f"({_listed(outputs)}): export the model with its probabilities."
        )
    if len(floats) == 1:
        return floats[0].name
    rows = [output for output in floats if len(output.shape) <= 2]
    for name in _NAMES:
        for output in rows:
            if output.name.partition(":")[0].lower() == name:
                return output.name
    if len(rows) == 1:
        return rows[0].name
    raise BorderlineError(
        f"output is None, but several outputs of the model may hold the class scores "
        f"({_listed(floats)}): set it (new-case: --output) to one of these names."
    )


def _given(outputs: Sequence[Output], setting: str | int) -> str:
    names = [output.name for output in outputs]
    if setting not in names and str(setting).isdecimal() and int(setting) < len(names):
        setting = names[int(setting)]
    if setting not in names:
        hint = did_you_mean(str(setting), names)
        raise BorderlineError(
            f"output is {setting!r}, but the model has no such output{hint}: set it to one of "
            f"{', '.join(names)}."
        )
    output = outputs[names.index(str(setting))]
    if not output.holds_floats:
        raise BorderlineError(
            f"output is {setting!r}, which holds no probabilities or logits ({output.said}): set "
            "it to another output."
        )
    return output.name


def read_maps(model: Any) -> bool:
    """Turn outputs that are one dictionary per image (ZipMap) into tensors; return whether any is.

    scikit-learn's converter adds them, unless the option ``zipmap`` is False. The tensor of
    probabilities, from which the dictionaries are made, takes the output's name.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    maps = [output for output in model.graph.output if output.type.HasField("sequence_type")]
    changed = False
    for output in maps:
        node = makers.get(output.name)
        if node is not None and node.op_type == "ZipMap":
            node.op_type, node.domain = "Identity", ""
            del node.attribute[:]
            output.ClearField("type")
            changed = True
    return changed


def _listed(outputs: Sequence[Output]) -> str:
    return "; ".join(output.said for output in outputs)
