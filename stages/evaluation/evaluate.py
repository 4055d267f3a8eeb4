"""Score every seen subject's renders and reconstructions against held-out truth.

    python -m stages evaluate

Reads renders, clips, landmarks, parsing, references, match, ISPs and the generator; writes
reports/metrics.json and the tables and figures of reports/evaluation. No metric reads the region
weights. Method: section 8 of method.md; definitions: docs/method.md, "Evaluation".
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.item_store import file_hash
from stages.base.arrays import AnyFloats
from stages.base.config import code_version
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject, training_subjects
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.base.io.video_frames import read_frames
from stages.base.training import pretrained
from stages.evaluation import frame_scores, motion_scores, plots, reconstruction
from stages.evaluation.artifacts import EVALUATION, METRICS, SCORES, VOICE_SCORES
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.motion_scores import OpeningScores, redetect_landmarks
from stages.evaluation.params import EvaluationParams
from stages.evaluation.reconstruction import Reconstruction
from stages.generator.artifacts import MODEL
from stages.generator.model import Generator
from stages.render.artifacts import MOTION, VIDEOS

SPLIT = "held-out spans of seen subjects"
CROP = "face: box of the 68 landmarks, 20 % wider on each side"
# Common measures of the field that are not computed, and why.
ABSENT = {
    "FID": "its Inception weights are in no registry package",
    "CSIM": "ArcFace weights are in no registry package",
    "LSE-C, LSE-D": "SyncNet weights are in no registry package",
    "CPBD": "not computed yet",
}
_PLOTTED = ("truth", "generator", "nearest_frame_aligned", "mean_frame", "isps_zeroed")


@dataclass(frozen=True)
class SubjectResult:
    """One subject's metrics, section of tables.md, and scores of every frame.

    Attributes:
        metrics: its part of metrics.json.
        page: lines of Markdown.
        frames: columns of SCORES, of frames drawn from true landmarks.
        voice: columns of VOICE_SCORES, of frames predicted from voice.
    """

    metrics: dict[str, Any]
    page: list[str]
    frames: dict[str, Any]
    voice: dict[str, Any]


def main() -> None:
    """Score the seen subjects; write metrics, tables and figures."""
    torch.set_num_threads(read_section("training", Training).threads)
    params, names = read_section("evaluation", EvaluationParams), seen_subjects()
    generator = Generator.load()
    subjects = training_subjects(names, DATA / "clips/seen")
    results = {s.name: _evaluate(s, generator, names, params) for s in subjects}
    content = {
        "split": SPLIT,
        "crop": CROP,
        "size": generator.size,
        "judges": {
            "generator": file_hash(MODEL),
            # Numbers of another version of the measures are not comparable.
            "measures": code_version.compute("stages.evaluation.metrics"),
            "lpips_alex": pretrained.sha256("lpips_alex"),
        },
        "absent": ABSENT,
        "subjects": {name: result.metrics for name, result in results.items()},
    }
    write_atomic(METRICS, json.dumps(_without_nan(content), indent=1) + "\n")
    page = ["# Evaluation", "", f"Split: {SPLIT}. Crop: {CROP}.", ""]
    for result in results.values():
        page += result.page
    page += ["Absent: " + "; ".join(f"{k} ({why})" for k, why in ABSENT.items()) + "."]
    write_atomic(EVALUATION / "tables.md", "\n".join(page) + "\n")
    with tables.writer(EVALUATION / "frames.parquet", SCORES, 65536) as add:
        for result in results.values():
            add(result.frames)
    with tables.writer(EVALUATION / "voice.parquet", VOICE_SCORES, 65536) as add:
        for result in results.values():
            add(result.voice)


def _evaluate(
    subject: Subject, generator: Generator, names: list[str], params: EvaluationParams
) -> SubjectResult:
    held = SubjectFrames(subject)
    others = [name for name in names if name != subject.name]
    drawn = reconstruction.reconstruct(held, generator, others, params.frames)
    scores = frame_scores.score_frames(drawn)
    means = frame_scores.mean_scores(scores)
    motion_table = VIDEOS / subject.name / f"{subject.name}.parquet"
    generated = tables.read(motion_table, MOTION, ["head"])["head"]
    points, valid = redetect_landmarks(
        image for _, image in read_frames(VIDEOS / f"{subject.name}.mp4")
    )
    swapped = {"isps_swapped_move": frame_scores.change(drawn, "isps_swapped")} if others else {}
    motion = motion_scores.score_motion(held, generated)
    redetected = _redetect_drawn(drawn)
    metrics: dict[str, Any] = {
        "frames": len(drawn.frames),
        "frames_of_new_scenes": drawn.new_scene,
        "reconstruction": means,
        "gain_psnr_face": frame_scores.gain(means, "psnr_face"),
        "gain_psnr": frame_scores.gain(means, "psnr"),
        "isps_zeroed_move": frame_scores.change(drawn, "isps_zeroed"),
        **swapped,
        "drawn_again": {name: asdict(scores) for name, scores in redetected.items()},
        "motion_frames": len(generated),
        "motion": {name: asdict(scores) for name, scores in motion.items()},
        "render": motion_scores.score_redetection(held, points, valid),
        "style_distance": {
            f"style_of_{name}": _style_distance(held, name, generated, params) for name in names
        },
    }
    _write_figures(held, drawn, generated, np.where(valid, mouth_opening(points), np.nan))
    return SubjectResult(
        metrics,
        _page(subject.name, metrics),
        frame_scores.score_columns(subject.name, drawn, scores),
        motion_scores.voice_columns(held, generated, points),
    )


def _write_figures(
    held: SubjectFrames, drawn: Reconstruction, generated: AnyFloats, redetected_opening: AnyFloats
) -> None:
    name, images = held.subject.name, {"truth": drawn.truth, **drawn.methods}
    rows = {method: images[method] for method in _PLOTTED}
    plots.plot_frames(EVALUATION / f"{name}_frames.png", rows, f"{name}: held-out frames")
    curves = {
        "truth": mouth_opening(held.rendered_column("head")),
        "generated": mouth_opening(generated),
        "seen in the render": redetected_opening,
    }
    figure = EVALUATION / f"{name}_mouth.png"
    plots.plot_opening(figure, curves, held.fps, f"{name}: held-out voice")


def _redetect_drawn(drawn: Reconstruction) -> dict[str, OpeningScores]:
    """Score openings redetected in the truth, in the generator's frames, and in a copy.

    The truth's row measures the error of the detector at the images' size.
    """
    images = {"truth": drawn.truth} | {
        name: drawn.methods[name] for name in ("generator", "nearest_frame_aligned")
    }
    clips = [frame.clip.id for frame in drawn.frames]
    scores = {}
    for name, frames in images.items():
        parts = [
            redetect_landmarks(
                image for image, own in zip(frames, clips, strict=True) if own == clip
            )
            for clip in dict.fromkeys(clips)
        ]
        points, valid = (np.concatenate(part) for part in zip(*parts, strict=True))
        scores[name] = motion_scores.score_openings(drawn.points[valid], points[valid])
    return scores


def _style_distance(
    held: SubjectFrames, style: str, generated: AnyFloats, params: EvaluationParams
) -> float:
    """SLD of the subject's own render to a seen subject's real motion."""
    real = SubjectFrames(Subject("seen", style))
    window = to_frames(params.window_s, held.fps)
    stride = to_frames(params.stride_s, held.fps, 1)
    return motion_scores.style_distance(real, held, generated, window, stride)


def _page(name: str, metrics: Mapping[str, Any]) -> list[str]:
    """Write one subject's section of tables.md."""
    new = metrics["frames_of_new_scenes"]
    source = (
        "of them show a scene that training never saw: their source is the clip's first\n"
        "held-out frame, which is not scored."
    )
    detected = "The mouth's opening, detected again in the rendered"
    return [
        f"## {name}",
        "",
        f"{metrics['frames']} frames from true landmarks, on the face crop",
        f"{metrics['gain_psnr_face']:+.2f} dB over the best baseline.",
        *([f"{new} {source}"] if new else []),
        "",
        _table(metrics["reconstruction"]),
        "",
        "Openings of mouth and eyes, detected again in these pictures, against the true ones:",
        "correlation, and amplitude over the true one.",
        "",
        _table(metrics["drawn_again"]),
        "",
        f"{metrics['motion_frames']} frames from voice. {detected}",
        f"video, follows the truth with r = {metrics['render']['mouth_correlation']:.2f}.",
        "",
        _table(metrics["motion"]),
        "",
    ]


def _table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Format scores as a Markdown table, one row for each name."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [[row, *(values.get(name) for name in names)] for row, values in rows.items()]
    digits = ["", *(".3f" if name == "lpips_face" else ".2f" for name in names)]
    return str(tabulate(cells, ["", *names], "github", floatfmt=digits))


def _without_nan(value: Any) -> Any:
    """Replace numbers that are not finite by None: JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
