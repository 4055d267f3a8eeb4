"""A face that is blurred, dark, burnt out, turned, covered or small is reported with its value."""

from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io import image_io
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image
from stages.base.io.video_frames import read_frames
from stages.clips.acceptance import apply_limits
from stages.clips.clips import run
from stages.clips.detector import FaceFinder
from stages.clips.ledger import LedgerRow
from stages.clips.quality import Quality, QualityMeter, median_quality
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_clip

SEEN = Subject("seen", "s")
NOSE = (123, 85)  # of the face below, px
MOUTH = (123, 95)


def clean() -> Image:
    from skimage import data

    return image_io.resize(np.ascontiguousarray(data.astronaut()[:380, 40:420]), 256)


def blurred(image: Image) -> Image:
    import cv2

    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.5), np.uint8)


def dark(image: Image) -> Image:
    return np.asarray(image * 0.1, np.uint8)


def burnt_out(image: Image) -> Image:
    return np.asarray(np.minimum(image * 2.2, 255), np.uint8)


def covered(image: Image, colour: tuple[float, float, float]) -> Image:
    """Paint a patch as large as a hand over nose and mouth, with soft edges."""
    import cv2

    mask = np.zeros(image.shape[:2], np.float32)
    middle = ((NOSE[0] + MOUTH[0]) // 2, (NOSE[1] + MOUTH[1]) // 2)
    cv2.ellipse(mask, middle, (24, 18), 20, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 1)[..., None]
    return np.asarray(image * (1 - soft) + np.array(colour) * soft, np.uint8)


def by_dark(image: Image) -> Image:
    return covered(image, (35, 30, 32))


def by_skin(image: Image) -> Image:
    return covered(image, (205, 150, 130))


def turned(image: Image) -> Image:
    """Turn the head by the depth of its mesh."""
    import cv2
    from mediapipe.python.solutions.face_mesh import FaceMesh
    from scipy.interpolate import RBFInterpolator

    found = FaceMesh(static_image_mode=True).process(image).multi_face_landmarks[0].landmark
    points = np.array([(v.x, v.y, v.z) for v in found]) * len(image)
    a = np.radians(-25)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    moved = (points - points.mean(0)) @ turn.T + points.mean(0)
    grid = np.stack(np.meshgrid(np.arange(0, 256, 4), np.arange(0, 256, 4)), -1).reshape(-1, 2)
    far = grid[np.abs(grid[:, None] - moved[None, ::9, :2]).sum(-1).min(1) > 60]
    field = RBFInterpolator(
        np.vstack([moved[:, :2], far]), np.vstack([points[:, :2], far]), neighbors=30, smoothing=1
    )
    back = cv2.resize(field(grid).reshape(64, 64, 2).astype(np.float32), (256, 256))
    return np.asarray(cv2.remap(image, back[..., 0], back[..., 1], cv2.INTER_LINEAR), np.uint8)


@pytest.fixture(scope="module")
def look() -> Callable[[Image], Quality]:
    find, measure = FaceFinder(), QualityMeter()

    def at(image: Image) -> Quality:
        return measure(image, find(clean())[0])

    return at


def verdict(seen: Quality, **changed: float) -> str:
    """Measure a shot of three seconds of this face and apply the limits."""
    measures = {"missing": 0.0, "face_height": 69.0, "loudness": -9.0} | vars(seen)
    row = LedgerRow(status="ok", start=0.0, end=3.0, **measures)
    return apply_limits(row, PARAMS.model_copy(update=changed)).reason


@pytest.mark.parametrize(
    ("spoil", "limits", "expected"),
    [
        (
            blurred,
            {"min_sharpness": 20},
            r"blurred: variance of its Laplacian 3\.\d \(at least 20, ",
        ),
        (dark, {}, r"too dark: median luminance of the face 1\d of 255 \(at least 25, "),
        (burnt_out, {}, r"\d\d% of the face is black or white \(at most 30%, "),
        (turned, {"max_head_angle": 18}, r"is turned 2\d° from the camera \(at most 18°, "),
        (by_dark, {}, r"covered: [34]\d% of its skin has another colour \(at most 30%, "),
        (
            by_skin,
            {"min_confidence": 0.9},
            r"turned away: the detector.s confidence is 0\.[78]\d \(at",
        ),
    ],
)
def test_a_face_made_bad_is_rejected_with_its_number_and_the_clean_one_is_not(
    look: Callable[[Image], Quality],
    spoil: Callable[[Image], Image],
    limits: dict[str, float],
    expected: str,
) -> None:
    import re

    assert verdict(look(clean()), **limits) == ""
    reason = verdict(look(spoil(clean())), **limits)
    assert re.search(expected, reason), reason
    assert ", clips." in reason


@pytest.mark.parametrize(
    ("right", "down", "expected"), [(0, 0.28, r"a hand covers \d+% of the lips"), (0.75, 0.3, "")]
)
def test_a_real_hand_before_the_lips_is_detected_and_one_next_to_the_face_is_not(
    shared_data: Path, right: float, down: float, expected: str
) -> None:
    import re

    import cv2

    face = next(iter(read_frames(shared_data / "german/20s.mp4", 1, 1.1)))[1]
    lender = shared_data / "hard/half_body_hevc_portrait.mp4"
    whole = next(iter(read_frames(lender, 0, 0.1, size=(1920, 1080))))[1]
    hands = np.asarray(whole[1400:1620, 490:700], np.float32)  # pale, before a dark coat
    soft = cv2.GaussianBlur(hands, (0, 0), 1.5)
    pale = ((soft[..., 0] - soft[..., 2] > 14) & (soft[..., 0] > 85)).astype(np.float32)
    box = FaceFinder()(face)[0]
    scale = 0.9 * box.side / max(pale.shape)
    x, y = box.centre[0] + right * box.side, box.centre[1] + down * box.side
    move = np.array([[scale, 0, x - scale * 105], [0, scale, y - scale * 110]])
    size = face.shape[1::-1]
    share = cv2.warpAffine(pale, move, size)[..., None]
    picture = np.asarray(face * (1 - share) + cv2.warpAffine(hands, move, size) * share, np.uint8)
    reason = verdict(QualityMeter()(picture, box), min_confidence=0)
    assert re.search(expected, reason) if expected else reason == ""


def test_measures_do_not_depend_on_the_size_of_the_face(look: Callable[[Image], Quality]) -> None:
    from skimage import data

    large = np.ascontiguousarray(data.astronaut()[:380, 40:420])
    small, whole = look(clean()), QualityMeter()(large, FaceFinder()(large)[0])
    assert whole.head_angle == pytest.approx(small.head_angle, abs=3)
    assert whole.exposure == pytest.approx(small.exposure, abs=5)
    assert whole.occlusion == pytest.approx(small.occlusion, abs=0.05)


def test_the_median_is_taken_measure_by_measure() -> None:
    rows = [Quality(*[float(value)] * 7) for value in (1, 9, 2)]
    assert median_quality(rows) == Quality(*[2.0] * 7)
    assert all(np.isnan(value) for value in vars(median_quality([])).values())


def test_a_face_beyond_several_limits_gets_all_reasons() -> None:
    reason = verdict(Quality(0.5, 14.0, 0.0, 70.0, 0.0, 0.9, 0.4), min_face=80)
    assert reason.split("; ") == [
        "the face is 69 px high (at least 80 px, clips.min_face)",
        "the face is blurred: variance of its Laplacian 0.5 (at least 1, clips.min_sharpness)",
        "too dark: median luminance of the face 14 of 255 (at least 25, clips.min_exposure)",
        "the head is turned 70° from the camera (at most 50°, clips.max_head_angle)",
        "a hand covers 40% of the lips (at most 25%, clips.max_hand)",
    ]


def test_an_unmeasured_value_exceeds_no_limit() -> None:
    assert verdict(median_quality([])) == ""


@pytest.mark.slow
def test_each_bad_video_of_a_folder_has_its_reason_and_a_changed_limit_decodes_no_video_again(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code_version.write(Path("versions.yaml"))
    raw = Path("data/raw/s")
    raw.mkdir(parents=True)
    tone = np.sin(np.arange(40000) / 10).astype(np.float32) / 4
    kinds = {"a clean": lambda image: image, "b dark": dark, "c covered": by_dark}
    for name, spoil in kinds.items():
        images = [spoil(np.roll(clean(), i % 3, axis=1)) for i in range(60)]
        encode_video(raw / f"{name}.mp4", images, 25, (tone, 16000))
    face_clip(raw / "d small.mp4", 60, 128)

    def reasons(**changed: float) -> list[str]:
        return [row.reason for row in run(SEEN, PARAMS.model_copy(update=changed))]

    def kept() -> dict[Path, int]:
        files = Path(".idiolect/items").rglob("*.parquet")
        return {path: path.stat().st_mtime_ns for path in files}

    first = reasons()
    assert first[0] == ""
    assert first[1].startswith("too dark: median luminance of the face 1")
    assert "of its skin has another colour" in first[2]
    assert first[3].startswith("the face is 3")
    before = kept()
    assert sum(path.name == "frames.parquet" for path in before) == 1

    loose = {"min_exposure": 5.0, "max_occlusion": 1.0, "min_confidence": 0.0, "min_face": 20.0}
    assert reasons(**loose, max_clipped=1.0) == [""] * 4
    after = kept()
    assert before.items() <= after.items()
    new = sorted(path.name for path in after.keys() - before.keys())
    assert new == ["frames.parquet"] * 3

    def no_process(self: ForkServerProcess) -> None:
        raise AssertionError("a video is decoded")

    monkeypatch.setattr(ForkServerProcess, "start", no_process)
    assert reasons() == first
    assert reasons(**loose, max_clipped=1.0) == [""] * 4
    assert "blurred" in reasons(min_sharpness=1e6)[0]
    assert kept() == after
