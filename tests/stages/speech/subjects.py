"""A subject of the speech stages: clips and landmarks made of sounds."""

from pathlib import Path

import numpy as np

from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.wav_files import write_wav
from stages.clips.artifacts import LEDGER
from stages.landmarks.artifacts import LANDMARKS
from stages.speech import mel
from stages.speech.params import AudioParams

CALM = Subject("seen", "calm")
FPS = 25.0
TINY = AudioParams(
    components=12,
    ahead=3, hidden=512, layers=3, residual=True, level_db=-20, steps=2, batch=2,
    seconds=0.6, learning_rate=1e-3, clip=1.0, ema=0.9,
)  # fmt: skip


def make_subject(sounds: dict[str, np.ndarray], subject: Subject = CALM) -> None:
    """Write clips and landmarks of a subject whose mouth opens before the sound is loud."""
    rows = {name: [] for name in LEDGER.names}
    for clip, sound in sounds.items():
        frames = int(len(sound) * FPS / 16000)
        folder = Path("data/clips") / str(subject)
        write_wav(folder / clip / "audio.wav", sound)
        values = {"video": f"{clip}.mp4", "clip": clip, "status": "ok", "frames": frames}
        values |= {
            "fps": FPS,
            "size": 256,
            "train": (0, frames - 25),
            "test": (frames - 10, frames),
        }
        values |= {"window": (0, 0, 1), "sha256": "", "reason": ""}
        for name in LEDGER.names:
            rows[name].append(values.get(name, 0))
        _, energy = mel.log_mel(sound, FPS, frames)
        points = np.zeros((frames, 68, 3), np.float32)
        points[:, 65:68, 1] = 0.01 + 0.001 * np.roll(energy[::2] + 100, -2)[:, None]
        blank = {c.name: np.zeros((frames, *c.shape), c.type) for c in LANDMARKS.columns}
        marks = blank | {"valid": np.ones(frames, bool), "head": points}
        tables.write(Path("data/landmarks") / str(subject) / f"{clip}.parquet", LANDMARKS, marks)
    tables.write(folder / "clips.parquet", LEDGER, rows)
