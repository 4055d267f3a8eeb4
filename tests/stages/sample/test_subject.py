import hashlib

import av
import numpy as np
import pytest

from stages.base.io import tables
from stages.sample.artifacts import REST
from stages.sample.motion import BILABIALS
from stages.sample.sample import make_sample
from tests.stages.sample.settings import FPS, SECONDS, SIZE

pytestmark = pytest.mark.slow


def opening(landmarks):
    return np.linalg.norm(landmarks[:, 66] - landmarks[:, 62], axis=1)


def eyes(landmarks):
    return np.linalg.norm(landmarks[:, 37] - landmarks[:, 41], axis=1)


def test_a_sample_is_h264_and_aac_of_the_requested_length(calm):
    with av.open(str(calm.video)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        assert (picture.width, picture.height, picture.average_rate) == (SIZE, SIZE, FPS)
        frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    with av.open(str(calm.video)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert np.allclose(np.array(frames, float), np.arange(SECONDS * FPS) / FPS)
    assert samples / sound.rate == pytest.approx(SECONDS, abs=0.1)


def test_two_runs_give_the_same_bytes(tmp_path):
    def digests(folder):
        make_sample("a", "calm", 1.0, 256, FPS, folder / "v.mp4", folder / "truth")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    first, second = digests(tmp_path / "first"), digests(tmp_path / "second")
    assert len(first) == 4
    assert first == second


def test_the_detected_mouth_opening_follows_the_truth(calm, detected):
    measured, true = opening(detected), opening(calm.truth["landmarks"])
    assert np.corrcoef(measured, true)[0, 1] > 0.9
    assert np.ptp(measured) > 10
    assert np.abs(measured - true).mean() < 2.0


def test_detected_blinks_and_head_follow_the_truth(calm, detected):
    true = calm.truth["landmarks"]
    assert np.corrcoef(eyes(detected), eyes(true))[0, 1] > 0.9
    for axis in (0, 1):
        assert np.corrcoef(detected[:, 30, axis], true[:, 30, axis])[0, 1] > 0.8
    assert np.linalg.norm(detected - true, axis=2).mean() < 4


def test_lips_are_closed_in_the_middle_of_each_m_b_and_p(calm, lively):
    for clip in (calm, lively):
        middles = [
            (start + end) / 2
            for name, start, end in zip(
                *(clip.phones[c] for c in ("phone", "start", "end")), strict=True
            )
            if name in BILABIALS and end < SECONDS
        ]
        frames = [int(np.abs(clip.truth["time"] - middle).argmin()) for middle in middles]
        assert len(frames) >= 3
        assert clip.truth["opening"][frames].max() < 0.02


def test_lively_opens_the_mouth_wider_and_moves_the_head_and_brows_more_than_calm(calm, lively):
    def wide(clip):
        return np.percentile(clip.truth["opening"], 90)

    def turned(clip):
        return np.arccos((np.trace(clip.truth["R"], axis1=1, axis2=2) - 1) / 2).mean()

    assert wide(lively) > 1.25 * wide(calm)
    assert turned(lively) > 1.25 * turned(calm)
    assert lively.truth["brow"].mean() > 1.5 * calm.truth["brow"].mean()


def test_the_nose_bridge_is_where_the_pose_projects_it(calm):
    truth = calm.truth
    folder = calm.video.parents[1] / "truth" / "calm"
    X = tables.read(folder / "rest.parquet", REST)["X"][28]
    placed = truth["R"] @ X + truth["t"]
    projected = truth["focal"][:, None] * placed[:, :2] / placed[:, 2:] + SIZE / 2
    assert np.abs(projected - truth["landmarks"][:, 28]).max() < 0.5
