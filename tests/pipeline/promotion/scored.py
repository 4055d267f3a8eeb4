"""Scores of models that are better or worse by given amounts, and rules to judge them by."""

from zlib import crc32

import numpy as np

from pipeline.experiments.scores import Scores
from pipeline.promotion.rules import Rules
from stages.evaluation.artifacts import SCORES

PSNR, MOUTH = "reconstruction.generator.psnr_face", "reconstruction.generator.l1_mouth"
LPIPS, LMD = "reconstruction.generator.lpips_face", "motion.generated.lmd"
CORRELATION, SEEN = "motion.generated.mouth_correlation", "render.mouth_correlation"
RULES = Rules.model_validate(
    {
        "better": {"metric": PSNR, "by": 0.1},
        "not_worse": [{"metric": MOUTH, "margin": 0.5}],
        "missing": "keep",
        "seconds": 5,
        "first": "beats_trivial",
    }
)


def scored(
    name: str,
    psnr: float = 0.0,
    mouth: float = 0.0,
    subjects: tuple[str, ...] = ("ann", "bob"),
    seconds: int = 10,
    seed: int = 0,
    clips: tuple[str, ...] = ("one",),
    follows: float = 0.8,
) -> Scores:
    """Score a model: better by dB, and in the mouth by grey levels, than the next one."""
    keys = [(s, c, f) for s in subjects for c in clips for f in range(25 * seconds)]
    rng, count = np.random.default_rng(seed), len(keys)
    wave = np.array([crc32(f"{s} {c} {f // 25}".encode()) % 1000 / 500 for s, c, f in keys])
    names = ("subject", "clip", "frame")
    columns = {name: np.array([key[i] for key in keys]) for i, name in enumerate(names)}
    noise = 0.1 * rng.normal(size=count)
    frames = {
        "answer": np.repeat(["generator", "source"], count),
        **{n: np.concatenate([c, c]) for n, c in columns.items()},
    }
    for measure in SCORES.names[4:]:
        better = {"psnr_face": psnr, "l1_mouth": -mouth}.get(measure, 0.0)
        frames[measure] = np.concatenate([25 + wave + noise + better, 22 + wave])
    truth = np.sin(np.arange(count) * 0.3)
    made = follows * truth + (1 - follows) * rng.normal(size=count)
    openings = {"opening": truth, "opening_made": made, "opening_shown": truth}
    voice = {
        **columns,
        **openings,
        "opening_seen": made,
        "lips": 1 + noise,
        "lips_at_rest": noise + 3,
    }
    means = {
        "reconstruction": {"generator": {"psnr_face": 25 + psnr, "l1_mouth": 25 - mouth}},
        "motion": {"generated": {"d_v": 10.0 - psnr, "mouth_correlation": follows}},
    }
    metrics = {"size": 64, "crop": "face", "subjects": dict.fromkeys(subjects, means)}
    known = {(s, c): f"{s} {c}" for s in subjects for c in clips}
    return Scores(name, name, metrics, frames, voice, known, 25.0)


def rules(**changes: object) -> Rules:
    return Rules.model_validate(RULES.model_dump() | changes)
