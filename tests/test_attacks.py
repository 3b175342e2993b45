"""Crafted files and settings: nothing of them runs, overwrites, leaks or exhausts the machine.

The tests build every file, so the repository holds no binary.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import operator
import os
import pickle
import re
import sys
import types
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from onnx import TensorProto
from onnx import helper as onnx_helper
from rich.console import Console
from rich.logging import RichHandler

import elsewhere
from borderline.commands.options import runner_of
from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model
from borderline.imported.import_path import digest_of_source, import_object
from borderline.imported.kinds import read_network
from borderline.imported.params import RUN_CODE
from borderline.measures.class_names import in_chart, in_figure
from borderline.pages.rendering import environment
from borderline.params import CallParams, RunParams
from borderline.pipelines.report.card import write_card
from borderline.pipelines.report.page import Origin
from borderline.plain_text import echo, fenced, keep_log_plain, markdown, visible
from borderline.printing import table_of, text_of
from conftest import findings_of, imported_source
from elsewhere import Net, RunsCode, saved

# Models and settings: code of strangers.


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The file that an attack leaves if its code runs."""
    return tmp_path / "was_run"


def pickled(trace: Path) -> bytes:
    return pickle.dumps(RunsCode(trace))


def lightning(trace: Path) -> bytes:
    """A checkpoint whose settings unpickle as code, beside sound weights."""
    file = io.BytesIO()
    weights = Net().state_dict()
    torch.save({"state_dict": weights, "hyper_parameters": {"lr": RunsCode(trace)}}, file)
    return file.getvalue()


def zipped(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def two_directories(trace: Path) -> bytes:
    """An archive of clean weights for readers from its end, with another one before it."""
    clean = io.BytesIO()
    torch.save(Net().state_dict(), clean)
    return lightning(trace) + clean.getvalue()


class Saves(torch.nn.Module):
    """Overwrites a file by an operator of TorchScript."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_file(self.path, True, 4, dtype=torch.uint8).fill_(1) + images.sum()


def scripted(code: str) -> Callable[[Path], bytes]:
    """TorchScript in whose code another statement stands."""

    def make(trace: Path) -> bytes:
        file = saved("torchscript", Net().eval(), torch.zeros(2, 1, 12, 12))
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        for name in parts:
            if name.endswith(".py"):
                head, colon, rest = parts[name].partition(b"Tensor:\n")
                parts[name] = head + colon + f"    {code}\n".encode() + rest
        return zipped(parts)

    return make


def overwriting(trace: Path) -> bytes:
    return saved("torchscript", Saves(str(trace)), torch.zeros(2, 1, 12, 12))


ATTACKS: dict[str, Callable[[Path], bytes]] = {
    "pickle": pickled,
    "hyper_parameters": lightning,
    "two directories": two_directories,
    "save under another name": scripted("_q = torch.save"),
    "save in brackets": scripted('(torch.save)(images, "was_run")'),
    "from_file": overwriting,
}
SUFFIXES = (".safetensors", ".onnx", ".pt", ".pth", ".bin", ".ckpt", ".pt2", ".ts", "")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_file_runs_code_without_trust(
    attack: str, suffix: str, tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under any suffix and any kind that a setting may give it."""
    monkeypatch.chdir(tmp_path)
    trace.write_bytes(b"mine")
    file, content = tmp_path / f"model{suffix}", ATTACKS[attack](trace)
    file.write_bytes(content)
    for import_path in (None, "elsewhere.Net"):
        with contextlib.suppress(BorderlineError):
            assert kind_of_model(file.name, import_path, trust=False)["kind"] not in RUN_CODE
    for kind in ("state_dict", "onnx"):
        path = "elsewhere.Net" if kind == "state_dict" else None
        source = imported_source(kind, path=file.name, import_path=path)
        with contextlib.suppress(BorderlineError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's about an archive of TorchScript.
            read_network(source, content)
            # The clean one of two archives.
            assert (attack, kind) == ("two directories", "state_dict")
    assert trace.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", RUN_CODE)
def test_kinds_with_code_are_refused_before_their_file_is_opened(kind: str) -> None:
    with pytest.raises(ValueError, match="can run code on your machine when it is read"):
        imported_source(kind, path="nowhere.bin")


def test_file_that_becomes_another_kind_after_its_check(tmp_path: Path, trace: Path) -> None:
    file = tmp_path / "model.pt"
    torch.save(Net().state_dict(), file)
    source = kind_of_model(str(file), "elsewhere.Net", trust=False)
    with pytest.raises(BorderlineError, match="trust is False"):
        read_network(imported_source(**source), lightning(trace))
    assert not trace.exists()


def onnx_model(**changed: Any) -> bytes:
    """``y = x + w`` in ONNX, whose w may be a value of an operator."""
    weight = onnx_helper.make_tensor("w", TensorProto.FLOAT, [2], [0.0, 0.0])
    if "location" in changed:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=changed["location"])
    inside = changed.get("inside", False)
    nodes = [onnx_helper.make_node("Constant", [], ["w"], value=weight)] if inside else []
    domain = changed.get("domain", "")
    nodes.append(
        onnx_helper.make_node(changed.get("operator", "Add"), ["x", "w"], ["y"], domain=domain)
    )
    ends = [onnx_helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in "xy"]
    graph = onnx_helper.make_graph(nodes, "g", ends[:1], ends[1:], [] if inside else [weight])
    sets = [onnx_helper.make_opsetid(name, 17) for name in {"", domain}]
    model = onnx_helper.make_model(graph, opset_imports=sets, producer_name="ORTM")
    model.ir_version = 8
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", ""])
def test_onnx_file_names_another_file(location: str, inside: bool) -> None:
    content = onnx_model(location=location, inside=inside)
    with pytest.raises(BorderlineError, match=f"in another file \\({re.escape(location)}\\)"):
        read_network(imported_source("onnx", path="m.onnx"), content)


def test_onnx_file_with_operators_of_a_library() -> None:
    content = onnx_model(operator="RunShell", domain="evil.library")
    with pytest.raises(BorderlineError, match="cannot be read as onnx"):
        read_network(imported_source("onnx", path="m.onnx"), content)


def test_onnx_file_that_is_also_of_another_format() -> None:
    """Its fifth byte begins the mark of onnxruntime's own format, which nobody has checked."""
    content = onnx_model()
    assert content[4:8] == b"ORTM"
    assert read_network(imported_source("onnx", path="m.onnx"), content).count_weights() == 2


@pytest.mark.parametrize("shard", ["../../etc/passwd", "/etc/passwd", "https://evil/x"])
def test_index_of_weights_elsewhere(shard: str) -> None:
    content = json.dumps({"metadata": {}, "weight_map": {"last.weight": shard}}).encode()
    source = imported_source("state_dict", path="m.json", import_path="elsewhere.Net")
    with pytest.raises(BorderlineError, match="the index of weights that stand in several files"):
        read_network(source, content)


class Shell:
    """An instance whose method is a function of Python."""

    system = staticmethod(os.system)


def wrapped() -> None:
    """A function that a decorator shows in place of another."""


wrapped.__wrapped__ = os.system  # type: ignore[attr-defined]
elsewhere_partial = functools.partial(functools.partial(os.system), "id")


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``shelf`` that shows objects of Python among its own."""
    shown = types.ModuleType("shelf")
    shown.__dict__.update(
        partial=elsewhere_partial,
        wrapped=wrapped,
        instance=operator.methodcaller("system"),
        inner=types.SimpleNamespace(os=os),
        bound=io.StringIO().write,
        place=Path("x").write_text,
        shell=Shell(),
        of_dict={}.get,
        sides=elsewhere.sides,
        kept=functools.lru_cache(elsewhere.sides),
        method=elsewhere.Seeded.embed,
        part=functools.partial(elsewhere.sides),
    )
    shown.__spec__ = elsewhere.__spec__
    monkeypatch.setitem(sys.modules, "shelf", shown)


@pytest.mark.parametrize(
    "path",
    [
        *("os.system", "os:system", "posix.system", "builtins.eval", "builtins.exec", "pty.spawn"),
        *("subprocess.Popen", "operator.methodcaller", "runpy.run_path", "antigravity.x", "test.x"),
        *("torch.os.system", "torch.sys.modules.get", "elsewhere.io.open", "elsewhere.Path"),
        *("torch.nn.Module.__class__", "torch.nn.Module.__init__.__globals__.get"),
        *("borderline.imported.import_path.hashlib.sha256", "torch.multiprocessing.Process"),
        *("shelf.partial", "shelf.wrapped", "shelf.instance", "shelf.inner.os.system"),
        *("shelf.bound", "shelf.place", "shelf.shell.system", "shelf.of_dict", "torch.os"),
    ],
)
def test_settings_alone_run_no_command(path: str, shelf: None) -> None:
    before = set(sys.modules)
    for setting in ("import_path", "embedding"):
        with pytest.raises(BorderlineError, match=f"{setting} is {path!r}, which is part of Pyth"):
            import_object(path, setting)
    assert not {"antigravity", "pty", "test"} & (set(sys.modules) - before)
    source = imported_source("callable", import_path=path, arguments={"command": "false"})
    with pytest.raises(BorderlineError, match="is part of Python itself"):
        read_network(source, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("torch.nn.Linear", "torchvision.models.resnet18", "torch.sigmoid", "elsewhere.Net"),
        *("elsewhere.sides", "elsewhere:sides", "shelf.sides", "shelf.kept", "shelf.method"),
        *("shelf.part", "scipy.special.expit"),
    ],
)
def test_code_of_the_project_and_of_packages_is_called(path: str, shelf: None) -> None:
    assert callable(import_object(path))


def test_module_in_the_folder_of_the_run(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before its import, unless PYTHONPATH names the folder."""
    (tmp_path / "data_set").mkdir()
    for name in ("stray_module.py", "data_set/stray_module.py"):
        (tmp_path / name).write_text(f"open({str(trace)!r}, 'w')\ndef model(x): return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for path in ("stray_module.model", "data_set.stray_module.model"):
        with pytest.raises(BorderlineError, match="because the run starts in its folder"):
            import_object(path)
        digest_of_source(imported_source("callable", import_path=path), b"")
    assert not trace.exists()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/nowhere", str(tmp_path)]))
    assert callable(import_object("stray_module.model"))
    assert trace.exists()
    monkeypatch.delitem(sys.modules, "stray_module")


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "unittest.mock.Mock"])
def test_runner_is_a_runner(name: str) -> None:
    with pytest.raises(BorderlineError, match=f"--runner is '{name}', which cannot be loaded"):
        runner_of(name, {"args": "false"})


def test_own_module_may_have_a_name_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "antigravity.py").write_text("def model(x): return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert callable(import_object("antigravity.model"))
    monkeypatch.delitem(sys.modules, "antigravity")


# Data folders of others.

# Images: files outside the data set, and files that announce more than they hold.

# Text of foreign files on pages, in the model card and on the terminal.

HOSTILE = (
    "x\n\n# Forged\n\n![f](http://evil/f.png) <img src=x onerror=alert(1)> | **b** | `c` $d$ "
    "[l](javascript:e) https://evil.org www.evil.org a@evil.org ```\n- [ ] &lt; </script> {{7*7}}"
)
TERMINAL = "a\x1b[31mb\r\n\x1b]8;;http://evil\x07c\x9b2J\u202etxt\u2066\x00\u200b\udc80[red]d[/x]"
SHOWN = "a\\x1b[31mb\\r\\n\\x1b]8;;http://evil\\x07c\\x9b2J\\u202etxt\\u2066\\x00\\u200b\\udc80[red]d[/x]"
ORDINARY = [
    "7v1",
    "Größe 3",
    "数字",
    "in_my_set",
    "cat (small) 0.5-1",
    "\u0645\u06cc\u200c\u062e",
    "C-1. x",
]


def card_with(name: str, **changed: Any) -> str:
    origin = Origin.of(
        CallParams(environment=changed.pop("environment", "mine"), changed={}, listed=("run",)),
        RunParams(seed=3, device="cpu"),
        {"python": "3", "threads": 2, "packages": {"borderline": "1", "torch": "2"}},
        {"run": {"seed": 3}},
    )
    texts = ("source", "positive", "negative", "kind", "generator", "recipe", "rating_note")
    findings = findings_of(1, **{**dict.fromkeys(texts, name), **changed})
    return write_card("m", findings, origin, None)


def test_no_value_is_markup_in_the_card() -> None:
    plain, card = card_with("x"), ModelCard(card_with(HOSTILE))
    markdown_it = MarkdownIt("gfm-like", {"linkify": False})
    kinds = [
        [token.type for token in markdown_it.parse(text)]
        for text in (ModelCard(plain).text, card.text)
    ]
    assert kinds[0] == kinds[1]
    page = markdown_it.render(card.text)
    for markup in ("<img src=x", "<a href", "<h1>Forged", "<strong>b", "<code>c", 'evil/f.png"'):
        assert markup not in page
    assert page.count("# Forged ![f](http://evil/f.png) &lt;img src=x") > 8
    assert card.data.eval_results[0].dataset_name.startswith("x # Forged")


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_look_the_same_everywhere(name: str) -> None:
    rendered = MarkdownIt("gfm-like", {"linkify": False}).renderInline(str(markdown(name)))
    assert rendered == name
    assert visible(name) == in_figure(name, 99) == in_chart(name, 99) == name
    page = environment("borderline.pages").from_string("{{ name }}").render(name=name)
    assert page == name


@pytest.mark.parametrize(
    "text", ["- a", "+ a", "1. a", "2) a", "=== ", "--- ", "# a", "> a", "[a]: b", "[ ] a", "    a"]
)
def test_no_value_begins_a_block(text: str) -> None:
    for before in ("", "- "):
        tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(f"{before}{markdown(text)}")
        plain = MarkdownIt("gfm-like", {"linkify": False}).parse(f"{before}x")
        assert [token.type for token in tokens] == [token.type for token in plain]


def test_no_command_ends_its_block() -> None:
    block = str(fenced("kedro run --env 'a\n````\n# b'"))
    (token,) = MarkdownIt().parse(block)
    assert token.content == "kedro run --env 'a\n````\n# b'\n"
    assert str(fenced("kedro run")) == "```\nkedro run\n```"


def test_pages_escape_every_value() -> None:
    template = '<p title="{{ a }}">{{ a }}</p><script type="application/json">{{ a | as_script }}'
    page = environment("borderline.pages").from_string(template).render(a=f'"{HOSTILE}\u202e\x1b')
    assert page.count("<") == 3
    assert "&#34;x" in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_terminal_obeys_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"Embedding layer: {TERMINAL}.")
    assert capsys.readouterr().out == f"Embedding layer: {SHOWN}.\n"
    assert str(BorderlineError(f"{TERMINAL} is wrong")) == f"{SHOWN} is wrong"
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(text_of(TERMINAL.replace("\n", "")), table_of(["\x1b"], [["[red]"]], console)[0])
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert SHOWN.replace("\\n", "") in shown
    assert re.search(r"\\x1b .*\[red\]", shown, re.DOTALL)


def test_log_obeys_no_name() -> None:
    before = logging.getLogRecordFactory()
    keep_log_plain()
    console = Console(file=io.StringIO(), width=200)
    handler = RichHandler(console=console, markup=True, show_time=False, show_path=False)
    logger = logging.Logger("borderline.datasets")
    logger.addHandler(handler)
    try:
        logger.warning("Left out: %s", TERMINAL)
    finally:
        logging.setLogRecordFactory(before)
    assert f"Left out: {SHOWN}" in console.file.getvalue()  # type: ignore[attr-defined]


def test_text_reaches_the_terminal_through_one_door() -> None:
    source = Path(sys.modules["borderline"].__path__[0])
    doors = re.compile(r"click\.s?echo\(|(?<![\w.])print\((?!.*file=)|rich\.print\(|\bText\(")
    users = {
        path.name
        for path in source.rglob("*.py")
        for line in path.read_text().splitlines()
        if doors.search(line) and ">>>" not in line
    }
    assert users <= {"plain_text.py", "printing.py"}


# Names that leave the data folder or merge folders.
