"""What a video is, told from its headers and first frame: cheap enough to ask before a run."""

from pathlib import Path

from stages.base.io.media import LARGEST, NotAVideo, VideoFacts, facts

__all__ = ["NotAVideo", "VideoFacts", "probe"]


def probe(path: Path, largest: int = LARGEST) -> VideoFacts:
    """Tell duration, rate, size as shown, codec and whether there is sound.

    Raises:
        NotAVideo: the file is empty, no video, or not one of its frames can be decoded.
        TooLarge: its pictures have more than `largest` pixels.
    """
    return facts(path, largest)
