"""The general neutral image I_s of the style mapping: identity A at rest.

python -m stages.sample.neutral    # writes data/neutral.png, 512×512 RGB
"""

from pathlib import Path

import numpy as np


def neutral(out: Path) -> None:
    """Draw identity A facing ahead, lips lightly closed and eyes open, as PNG."""
    import cv2

    from pipeline.writing import whole_file
    from stages.sample.face import load_face
    from stages.sample.motion import at_rest
    from stages.sample.picture import Painter

    image, _, _ = Painter(load_face("a")).draw(at_rest(1), 0)
    done, content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert done
    with whole_file(out) as part:
        part.write_bytes(np.asarray(content).tobytes())


if __name__ == "__main__":
    neutral(Path("data/neutral.png"))
