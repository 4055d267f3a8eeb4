"""`python -m stages evaluate`: score every seen subject's renders and reconstructions."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.item_store import file_hash
from stages.base.config import code_version
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject, training_subjects
from stages.base.face import face_measures
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.evaluation import motion_scores, pictures, reconstruction
from stages.evaluation.artifacts import SCORES, VOICE_SCORES
from stages.evaluation.heldout import Heldout
from stages.evaluation.params import EvaluationParams
from stages.evaluation.redetection import landmarks_of, landmarks_of_video
from stages.generator.inference import Generator, load

MODEL = Path("models/generator.safetensors")
VIDEOS = Path("reports/videos")
OUT = Path("reports/evaluation")
METRICS = Path("reports/metrics.json")
# What the field reports beside these, and why it is not here.
ABSENT = {
    "LPIPS": "its AlexNet or VGG weights are in no registry package",
    "FID": "its Inception weights are in no registry package",
    "CSIM": "ArcFace weights are in no registry package",
    "LSE-C, LSE-D": "SyncNet weights are in no registry package",
    "CPBD": "not computed yet",
}


@dataclass
class Scored:
    """One subject's scores, the page that shows them, and the scores of every frame.

    Attributes:
        frames: of frames drawn from true landmarks, columns of SCORES.
        voice: of frames made from voice, columns of VOICE_SCORES.
    """

    metrics: dict[str, Any]
    page: list[str]
    frames: dict[str, Any]
    voice: dict[str, Any]


def run(params: EvaluationParams, names: list[str]) -> dict[str, Any]:
    """Score every seen subject; write metrics, tables and pictures; return the metrics."""
    generator = load(MODEL)
    subjects = training_subjects(names, Path("data/clips/seen"))
    scored = {subject.name: _subject(subject, generator, names, params) for subject in subjects}
    found: dict[str, Any] = {
        "split": "held-out spans of seen subjects",
        "crop": "face: box of the 68 landmarks, 20 % wider on each side",
        "size": generator.size,
        "judges": {"generator": file_hash(MODEL), "measures": measures()},
        "absent": ABSENT,
        "subjects": {name: one.metrics for name, one in scored.items()},
    }
    with atomic_file(METRICS) as part:
        part.write_text(json.dumps(_finite(found), indent=1) + "\n")
    page = ["# Evaluation", "", f"Split: {found['split']}. Crop: {found['crop']}.", ""]
    for one in scored.values():
        page += one.page
    page += ["Absent: " + "; ".join(f"{k} ({why})" for k, why in ABSENT.items()) + "."]
    with atomic_file(OUT / "tables.md") as part:
        part.write_text("\n".join(page) + "\n")
    with tables.writer(OUT / "frames.parquet", SCORES, 65536) as add:
        for one in scored.values():
            add(one.frames)
    with tables.writer(OUT / "voice.parquet", VOICE_SCORES, 65536) as add:
        for one in scored.values():
            add(one.voice)
    return found


def measures() -> str:
    """Return the code version of the measures: numbers of another are not comparable."""
    return code_version.compute("stages.evaluation.metrics")


def _subject(
    subject: Subject, generator: Generator, names: list[str], params: EvaluationParams
) -> Scored:
    held = Heldout(subject)
    others = [name for name in names if name != subject.name]
    drawn = reconstruction.draw(held, generator, others, params.frames)
    framewise = reconstruction.per_frame(drawn)
    pictured = reconstruction.means(framewise)
    made = motion_scores.read_motion(VIDEOS / subject.name / f"{subject.name}.parquet")
    moved = motion_scores.rows(held, made)
    seen, valid = landmarks_of_video(VIDEOS / f"{subject.name}.mp4")
    fps = held.clips[0].fps
    style = {f"style_of_{name}": _style_distance(held, name, fps, params) for name in names}
    again = motion_scores.redetected(held, seen, valid)
    drawn_again = _drawn_again(drawn)
    scores: dict[str, Any] = {
        "frames": len(drawn.rows),
        "frames_of_new_scenes": drawn.new_scene,
        "reconstruction": pictured,
        "gain_psnr_face": reconstruction.gain(pictured),
        "gain_psnr": reconstruction.gain(pictured, "psnr"),
        "isps_zeroed_move": reconstruction.movement(drawn, "isps_zeroed"),
        **({"isps_swapped_move": reconstruction.movement(drawn, "isps_swapped")} if others else {}),
        "drawn_again": drawn_again,
        "motion_frames": len(made),
        "motion": moved,
        "render": again,
        "style_distance": style,
    }
    _draw(held, drawn, made, seen, valid, fps)
    page = [
        f"## {subject.name}",
        "",
        f"{len(drawn.rows)} frames from true landmarks, on the face crop",
        f"{scores['gain_psnr_face']:+.2f} dB over the best trivial row.",
        *_new_scenes(drawn.new_scene),
        "",
        pictures.table(pictured),
        "",
        "Openings of mouth and eyes, detected again in these pictures, against the true ones:",
        "correlation, and amplitude over the true one.",
        "",
        pictures.table(drawn_again),
        "",
        f"{len(made)} frames from voice. The mouth's opening, detected again in the rendered",
        f"video, follows the truth with r = {again['mouth_correlation']:.2f}.",
        "",
        pictures.table(moved),
        "",
    ]
    frames = reconstruction.columns(subject.name, drawn, framewise)
    return Scored(scores, page, frames, motion_scores.per_frame(held, made, seen))


def _drawn_again(drawn: reconstruction.Drawn) -> dict[str, reconstruction.Scores]:
    """See mouth and eyes again in the truth, in what was drawn from its landmarks, in a copy.

    The truth's row tells what the pictures' size and the detector cost.
    """
    shown = {name: drawn.answers[name] for name in ("generator", "nearest_frame_aligned")}
    clips = [row.clip.id for row in drawn.rows]
    scores = {}
    for name, images in ({"truth": drawn.truth} | shown).items():
        found = [
            landmarks_of(images[i] for i in range(len(clips)) if clips[i] == clip)
            for clip in dict.fromkeys(clips)
        ]
        points, valid = (np.concatenate(part) for part in zip(*found, strict=True))
        scores[name] = motion_scores.seen_again(drawn.points[valid], points[valid])
    return scores


def _new_scenes(frames: int) -> list[str]:
    if not frames:
        return []
    return [
        f"{frames} of them show a scene that training never saw: their source is the clip's first",
        "held-out frame, which is not scored.",
    ]


def _style_distance(held: Heldout, other: str, fps: float, params: EvaluationParams) -> float:
    """SLD of the subject's own render to another subject's real motion."""
    made = motion_scores.read_motion(VIDEOS / held.subject.name / f"{held.subject.name}.parquet")
    real = Heldout(Subject("seen", other))
    window, stride = to_frames(params.window_s, fps), to_frames(params.stride_s, fps, 1)
    return motion_scores.style_distance(real, held, made, window, stride)


def _draw(
    held: Heldout, drawn: reconstruction.Drawn, made: Any, seen: Any, valid: Any, fps: float
) -> None:
    name = held.subject.name
    pictures.frames_sheet(OUT / f"{name}_frames.png", drawn, f"{name}: held-out frames")
    truth = face_measures.mouth_opening(held.test_columns("head"))
    shown = np.where(valid, face_measures.mouth_opening(seen), np.nan)
    curves = {
        "truth": truth,
        "generated": face_measures.mouth_opening(made),
        "seen in the render": shown,
    }
    pictures.opening_plot(OUT / f"{name}_mouth.png", curves, fps, f"{name}: held-out voice")


def _finite(value: Any) -> Any:
    """Put null where a number is none: JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def main() -> None:
    """Evaluate the subjects that params.yaml names."""
    training = read_section("training", Training)
    import torch

    torch.set_num_threads(training.threads)
    run(read_section("evaluation", EvaluationParams), seen_subjects())
