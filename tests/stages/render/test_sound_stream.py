"""Audio features in small blocks are those of the whole sound."""

import numpy as np
import pytest

from stages.render.sound_stream import PhoneStream, mel_blocks
from stages.speech import mel
from stages.speech.phone_track import PhoneTrack
from stages.speech.phones import recognise_phones
from tests.conftest import read_audio

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 24000 / 1001])
def test_small_blocks_have_the_mel_of_the_whole_sound(fps):
    sound = np.random.default_rng(0).normal(0, 0.1, 16000 * 13).astype(np.float32)

    def read(first, end):
        return sound[first:end]

    frames = int(13 * fps)
    blocks = list(mel_blocks(read, fps, frames))
    assert len(blocks) > 1
    whole, energy = mel.log_mel(sound, fps, frames)
    assert np.array_equal(np.concatenate([block for block, _ in blocks]), whole)
    assert np.array_equal(np.concatenate([loud for _, loud in blocks]), energy)


def test_phones_that_are_recognised_as_needed_are_those_of_the_whole_sound(workdir, shared_data):
    (workdir / "params.yaml").write_text("speech: {features: apc, recogniser: words}\n")
    speech = read_audio(shared_data / "audio" / "speech.wav")
    sound = np.concatenate([speech, speech[:80000]])  # more than one piece

    def read(first, end):
        return sound[first:end]

    phones = recognise_phones(read, len(sound))
    track = PhoneTrack([p.name for p in phones], [p.start for p in phones], [p.end for p in phones])
    stream, steps = PhoneStream(read, len(sound)), 50 * len(sound) // 16000
    assert steps > 800
    for first in range(0, steps, 100):
        end = min(first + 100, steps)
        assert np.array_equal(stream.at(first, end, 25.0), track.at(first, end, 25.0))


def test_a_silent_sound_has_no_phones(workdir):
    (workdir / "params.yaml").write_text("speech: {features: apc, recogniser: words}\n")
    stream = PhoneStream(lambda first, end: np.zeros(min(end, 800) - first, np.float32), 800)
    assert not stream.at(0, 4, 25.0).any()
