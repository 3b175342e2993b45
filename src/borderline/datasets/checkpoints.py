"""Checkpoints of a training: one file per epoch, plain state without code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import IO, Any, TypedDict
from zipfile import ZipFile

from borderline.datasets.atomic import AtomicSave, BinaryFile, Folder
from borderline.errors import BorderlineError
from borderline.fingerprints import EARLIER, completed
from borderline.params import Setting


class Checkpoint(TypedDict):
    """The state from which a training continues as if it had never stopped.

    Attributes:
        epoch: The number of finished epochs; 0 is the start of step 2.
        settings: The fingerprint: every setting that the state depends on, by dotted name.
        history: One row of scores for each epoch so far.
        state: Networks, optimisers and random state, as PyTorch state dictionaries.
    """

    epoch: int
    settings: dict[str, Setting]
    history: list[dict[str, float]]
    state: dict[str, Any]


_ARGUMENTS = ".arguments."
_DIGESTS = {"file_digest": "file", "code_digest": "code", "weights digest": "pretrained weights"}

Checkpoints = Mapping[str, Callable[[], Checkpoint]]
"""Loaders by :func:`epoch_name`, as :class:`CheckpointFolder` loads them."""


def epoch_name(epoch: int) -> str:
    """The name of an epoch's checkpoint; names sort by epoch.

    Example:
        >>> epoch_name(12)
        'epoch_0012'
    """
    return f"epoch_{epoch:04d}"


def latest(checkpoints: Checkpoints, epochs: int) -> Checkpoint | None:
    """The newest checkpoint with at most this number of epochs; None if there is none yet."""
    names = [name for name in checkpoints if name <= epoch_name(epochs)]
    return checkpoints[max(names)]() if names else None


def check_settings(
    checkpoint: Checkpoint,
    settings: Mapping[str, Setting],
    *,
    where: str = "",
    called: Mapping[str, str] | None = None,
) -> None:
    """Check that a checkpoint was made with the present settings.

    Args:
        settings: The present settings; one that is missing on one side is not compared,
            unless it is one of ``EARLIER``, or one of the ``arguments`` of a user's code.
        called: The name of a setting or a group of settings in the parameters, for the message:
            ``{"model": "models.cnn_2"}``.

    Raises:
        BorderlineError: When a setting differs.
    """
    made_with, settings = completed(checkpoint["settings"]), {**EARLIER, **settings}
    for one, other in ((settings, made_with), (made_with, settings)):
        one |= {name: None for name in other if _lacks_argument(one, name)}
    for name in settings:
        if name in made_with and made_with[name] != settings[name]:
            group, _, setting = name.partition(".")
            names = called or {}
            shown = f"{names.get(group, group)}.{setting}" if setting else name
            shown = names.get(name, shown)
            made = f"the checkpoints{f' in {where}' if where else ''} were made with"
            said = f"{shown} is {settings[name]!r}, but {made} {made_with[name]!r}: set it back"
            if setting in _DIGESTS:
                whole = f"{_DIGESTS[setting]} of {names.get(group, group)}"
                said = f"The {whole} changed, and {made} the former content: put it back"
            raise BorderlineError(
                f"{said}, move that folder away to train again, or give the run another "
                "data_folder (conf/<env>/globals.yml)."
            )


def _lacks_argument(settings: Mapping[str, Setting], name: str) -> bool:
    """Whether a name is that of an argument which settings with its group do not have."""
    group, is_argument, _ = name.partition(_ARGUMENTS)
    of_group = (other.startswith(f"{group}.") for other in settings)
    return bool(is_argument) and name not in settings and any(of_group)


class CheckpointDataset(AtomicSave, BinaryFile[Checkpoint]):
    """One checkpoint: a ``torch.save`` file that loads with ``weights_only=True``.

    Example:
        >>> dataset = CheckpointDataset(filepath=str(tmp_path / "epoch_0001.pt"))
        >>> dataset.save({"epoch": 1, "settings": {}, "history": [], "state": {}})
        >>> dataset.load()["epoch"]
        1
    """

    # Without the later ones, because a training continues from the newest, and does not come back
    # to an epoch in the middle.
    remedy = "delete it and all later ones beside it, to continue from the one before"

    def _read(self, file: IO[bytes]) -> Checkpoint:
        import torch

        content = BytesIO(file.read())
        # PyTorch does not compare the content with the checksums of the archive.
        if wrong := ZipFile(content).testzip():
            raise ValueError(f"wrong checksum of {wrong}")
        content.seek(0)
        checkpoint: Checkpoint = torch.load(content, map_location="cpu", weights_only=True)
        if (
            not isinstance(checkpoint, dict)
            or not checkpoint.keys() >= Checkpoint.__annotations__.keys()
        ):
            raise ValueError("it is a PyTorch file, but no checkpoint of this project")
        return checkpoint

    def _write(self, data: Checkpoint, file: IO[bytes]) -> None:
        import torch

        torch.save(data, file)


class CheckpointFolder(Folder):
    """A folder of checkpoints by epoch; it loads as functions that load one checkpoint each.

    Args:
        path: The folder, or one checkpoint (``.pt``), which is only read.
        may_be_empty: Whether a folder without checkpoints exists and loads as ``{}``, as the input
            of the training that fills it needs.
        options: As for :class:`Folder`.

    Example:
        >>> folder = CheckpointFolder(path=str(tmp_path / "checkpoints"))
        >>> folder.save({"epoch_0001": {"epoch": 1, "settings": {}, "history": [], "state": {}}})
        >>> latest(folder.load(), epochs=3)["epoch"]
        1
    """

    file_class = CheckpointDataset
    suffix = ".pt"

    def __init__(self, *, path: str, may_be_empty: bool = False, **options: Any) -> None:
        super().__init__(path=path, **options)
        self._may_be_empty = may_be_empty
        self._is_one_file = path.endswith(".pt")

    @property
    def path(self) -> str:
        """The folder."""
        return str(self._path)

    def load(self) -> dict[str, Callable[[], Checkpoint]]:
        """Loaders by epoch."""
        if self._is_one_file:
            checkpoint = CheckpointDataset(
                filepath=self._path, credentials=self._credentials
            ).load()
            return {epoch_name(checkpoint["epoch"]): lambda: checkpoint}
        if self._may_be_empty and not super()._exists():
            return {}
        return super().load()

    def _exists(self) -> bool:
        if self._is_one_file:
            return bool(self._filesystem.exists(self._normalized_path))
        self._invalidate_caches()
        return self._may_be_empty or bool(super()._exists())
