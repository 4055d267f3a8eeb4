"""A log-mel for Whisper's encoder, and the script that computes CTranslate2's output for it.

    python -m tests.stages.speech.whisper_reference TINY BASE > whisper_reference.json

TINY and BASE are folders with a model.bin and config.json of CTranslate2, from the packages of the
table of weights (parts joined). The script needs an environment of its own with `ctranslate2==4.8.5`.
"""

import json
import sys

import numpy as np
from numpy.typing import NDArray

ROWS = range(0, 400, 80)


def log_mel() -> NDArray[np.float32]:
    """Return eight seconds of a moving pattern with noise, (80, 800), in the range of speech."""
    band, time = np.arange(80)[:, None], np.arange(800)
    pattern = np.sin(band / 7 + time / 11) * np.cos(time / 37 - band / 23)
    noise = np.random.default_rng(0).normal(0, 0.1, (80, 800))
    return np.asarray(0.3 + 0.6 * pattern + noise, np.float32)


def encoded(folder: str) -> list[list[float]]:
    """Return ROWS of CTranslate2's output in float32."""
    import ctranslate2

    model = ctranslate2.models.Whisper(
        folder, device="cpu", compute_type="float32", intra_threads=1
    )
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(log_mel()[None]))
    rows = np.array(model.encode(features, to_cpu=True))[0, list(ROWS)]
    return [[round(float(value), 6) for value in row] for row in rows]


def main() -> None:
    names = dict(zip(("whisper_tiny", "whisper_base"), sys.argv[1:], strict=True))
    json.dump({name: encoded(folder) for name, folder in names.items()}, sys.stdout)


if __name__ == "__main__":
    main()
