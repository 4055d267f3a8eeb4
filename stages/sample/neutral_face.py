"""Draw the project's default neutral face: identity A, facing ahead, eyes open, lips closed.

    python -m stages.sample.neutral_face stages/neutral/default.png

No stage runs this module: the stage `neutral` copies the file, which is in git.
"""

import argparse
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_file
from stages.base.io.image_io import Image, encode_png
from stages.sample.face import load_face
from stages.sample.motion import at_rest
from stages.sample.painter import Painter


def draw(identity: str = "a") -> Image:
    """Draw an identity at rest, RGB (512, 512, 3)."""
    return Painter(load_face(identity)).draw(at_rest(1), 0)[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the PNG to write")
    with atomic_file(parser.parse_args().out) as path:
        path.write_bytes(encode_png(draw()))
