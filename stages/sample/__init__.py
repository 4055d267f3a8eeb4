"""The sample subjects: a face from a package and a voice from another, so that no data is needed.

    python -m stages sample sample_calm         # a minute on one core
    python -m stages neutral             # the neutral image, seconds

A NASA portrait (public domain) is warped: the head turns, lids blink, the mouth follows the
phones of synthesised speech and song. What is true of every frame is written beside the video,
under data/truth; tests measure with it, no stage reads it.
"""

from stages.sample.subject import make_sample

__all__ = ["make_sample"]
