"""Write a video while its pictures are drawn: flat memory, and Ctrl-C leaves a playable file."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.atomic_files import atomic_file, name_in_errors
from pipeline.runtime.user_errors import Interrupted
from stages.base.io.encoding import X264, audio_stream, even_size, set_format, yuv_frame
from stages.base.io.image_io import Image
from stages.base.io.wav_files import read_wav, to_int16

_AHEAD = 8  # pictures that wait for the encoder
_PIECE = 1024  # samples encoded together
_SOUND_AHEAD = 0.2  # s of sound written before its pictures
_WHOLE = {"movflags": "+faststart"}
_LIVE = {
    "movflags": "+empty_moov+delay_moov+default_base_moof+frag_every_frame",
    "flush_packets": "1",
}


class SoundSource(Protocol):
    """A sound that is read piece by piece."""

    @property
    def rate(self) -> int:
        """Samples per second."""

    def read(self, first: int, end: int) -> NDArray[np.int16]:
        """Return the samples first to end (exclusive), fewer at the end of the sound."""


class WavSound:
    """The sound of a mono 16-bit WAV file."""

    def __init__(self, path: Path) -> None:
        self.path, self.rate = path, read_wav(path, 0, 0)[1]

    def read(self, first: int, end: int) -> NDArray[np.int16]:
        """Read samples of the file."""
        return to_int16(read_wav(self.path, first, end)[0])


def stream_video(
    path: Path,
    pictures: Generator[Image, None, None],
    fps: float,
    sound: SoundSource,
    crf: int,
    *,
    live: bool = False,
) -> int:
    """Write H.264 and AAC as MP4; return the number of pictures.

    Args:
        path: the file, ending in .mp4.
        pictures: RGB (H, W, 3), all of one size, H and W even; drawn while others are encoded.
        fps: frames per second.
        sound: read up to the last picture's end.
        crf: x264's constant quality, 0 (lossless) to 51.
        live: write each picture to the file as soon as it is drawn, as a fragment; the sound is
            read a little ahead of the pictures. Else the file appears when it is whole.

    Raises:
        UserError: a height or width is odd.
        Interrupted: by Ctrl-C, after the pictures up to it are written with their sound.
        KeyboardInterrupt: by Ctrl-C before the first picture; nothing is written.
    """
    with (
        nullcontext(path) if live else atomic_file(path) as part,
        name_in_errors(path, part),
        ThreadPoolExecutor(1) as thread,
        closing(pictures),
    ):
        # Ctrl-C interrupts this thread alone: what the other one writes stays whole.
        writer = thread.submit(_Writer, path, part, fps, sound, crf, live=live).result()
        waiting: deque[Future[None]] = deque()
        stopped = False
        try:
            for picture in pictures:
                waiting.append(thread.submit(writer.add, picture))
                if len(waiting) > _AHEAD:
                    waiting.popleft().result()
        except KeyboardInterrupt:
            stopped = True
        except BaseException:
            thread.submit(writer.close).result()
            raise
        thread.submit(writer.finish).result()
        for done in waiting:
            done.result()
        if stopped and not writer.count:
            raise KeyboardInterrupt
    if stopped:
        seconds = writer.count / fps
        raise Interrupted("stopped", f"by Ctrl-C; {path} holds the first {seconds:.1f} s")
    return writer.count


class _Writer:
    """Encodes pictures, and the sound beside them."""

    def __init__(
        self, path: Path, part: Path, fps: float, sound: SoundSource, crf: int, *, live: bool
    ) -> None:
        import av

        self.path, self.fps, self.sound, self.count, self.spoken = path, fps, sound, 0, 0
        self.failed = False
        self.out = av.open(f"file:{part}", "w", options=_LIVE if live else _WHOLE)
        # Without sound ahead of it, a picture waits in FFmpeg's queue, and fragments of queued
        # pictures get wrong times. So silence follows a sound that has ended.
        self.ahead = _SOUND_AHEAD if live else 0.0
        self.out.metadata.clear()
        rate = Fraction(fps).limit_denominator(1001)
        options = {"crf": str(crf), **X264} | ({"tune": "zerolatency"} if live else {})
        self.video = self.out.add_stream("libx264", rate=rate, options=options)
        self.audio = audio_stream(self.out, sound.rate)
        set_format(self.video)

    def add(self, picture: Image) -> None:
        """Encode a picture, and the sound up to its end; do nothing after an error."""
        if self.failed:  # a file whose header could not be written crashes FFmpeg if it goes on
            return
        self.failed = True
        self._encode(picture)
        self.failed = False

    def _encode(self, picture: Image) -> None:
        if not self.count:
            self.video.height, self.video.width = even_size(self.path, picture)
        self.count += 1
        if self.ahead:
            self._speak(self.count / self.fps + self.ahead, _PIECE)
        self._mux_video(yuv_frame(picture, self.count - 1))
        self._speak(self.count / self.fps, _PIECE)

    def _mux_video(self, frame: Any) -> None:
        for packet in self.video.encode(frame):
            packet.duration = 1  # a fragment of one frame cannot guess it from the next one
            self.out.mux(packet)

    def _speak(self, seconds: float, least: int) -> None:
        """Encode the sound up to a time, as long as `least` samples are left."""
        end = round(seconds * self.sound.rate)
        while end - self.spoken >= least:
            count = min(_PIECE, end - self.spoken)
            samples = self.sound.read(self.spoken, self.spoken + count)
            if self.ahead and len(samples) < count:
                samples = np.pad(samples, (0, count - len(samples)))
            if len(samples) < least:
                break
            self.out.mux(self.audio.encode(self._sound_frame(samples)))
            self.spoken += len(samples)

    def _sound_frame(self, samples: NDArray[np.int16]) -> Any:
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), "s16", "mono")
        frame.sample_rate, frame.time_base = self.sound.rate, Fraction(1, self.sound.rate)
        frame.pts = self.spoken
        return frame

    def finish(self) -> None:
        """Write what the encoders hold, and close the file."""
        if self.count and not self.failed:
            self._mux_video(None)
            self._speak(self.count / self.fps, 1)
            self.out.mux(self.audio.encode(None))
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.out.close()
