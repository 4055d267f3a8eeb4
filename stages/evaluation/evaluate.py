"""Score every seen subject's renders and reconstructions against held-out truth.

    python -m stages evaluate

Reads renders, clips, landmarks, parsing, references, match, ISPs and the generator; writes
reports/metrics.json and reports/evaluation: scores.json, tables and figures. No metric reads the
region weights. Method: section "Evaluation" of docs/method.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pipeline.runtime import process_pool
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.item_store import file_hash
from stages.base.arrays import AnyFloats
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject, training_subjects
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.training import pretrained
from stages.donors.library import read_donors
from stages.evaluation import (
    fid,
    frame_scores,
    headline,
    identity,
    lse,
    motion_scores,
    opening_scores,
    plots,
    reconstruction,
    restyled,
    theval_videos,
)
from stages.evaluation.artifacts import EVALUATION, FIGURES, SCORES, VOICE_SCORES
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.identity import Faces
from stages.evaluation.lent_styles import SeenStyles
from stages.evaluation.metrics import MEASURES_VERSION
from stages.evaluation.motion_rows import other_audio, score_rows, still_face
from stages.evaluation.page import page
from stages.evaluation.params import JUDGES, EvaluationParams
from stages.evaluation.reconstruction import Reconstruction
from stages.evaluation.redetection import join_detections
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.transferred_styles import score_transfers
from stages.evaluation.unseen_people import score_unseen, unseen_subjects
from stages.evaluation.unseen_pictures import score_unseen_pictures
from stages.generator.artifacts import MODEL
from stages.generator.drawing import Generator
from stages.render.params import RenderParams
from stages.transfer.params import Transfers

SPLIT = "held-out spans of seen subjects"
CROP = "face: box of the 68 landmarks, 20 % wider on each side"
# Common measures of the field that are not computed, and why.
ABSENT = {
    "FID": "its weights are in no registry package; name yours in evaluation.inception",
    "CSIM": "weights of ArcFace are in no registry package; name yours in evaluation.arcface; "
    "CSIM-dlib is another measure",
    "LSE-C, LSE-D": "weights of SyncNet are in no registry package; name yours in "
    "evaluation.syncnet",
    "THEval's other four measures and its final score": "their networks are in no registry package",
}
_BROUGHT = {
    "FID": "inception",
    "CSIM": "arcface",
    "LSE-C, LSE-D": "syncnet",
}  # by which weights of the user
_PLOTTED = ("truth", "generator", "nearest_frame_aligned", "mean_frame", "isps_zeroed")


@dataclass(frozen=True)
class SubjectResult:
    """One subject's metrics, and scores of every frame.

    Attributes:
        metrics: its part of scores.json.
        frames: columns of SCORES, of frames drawn from true landmarks.
        voice: columns of VOICE_SCORES, of frames predicted from voice.
    """

    metrics: dict[str, Any]
    frames: dict[str, Any]
    voice: dict[str, Any]


def main() -> None:
    """Score the seen subjects; write scores, tables and figures."""
    torch.set_num_threads(read_section("training", Training).threads)
    params, names = read_section("evaluation", EvaluationParams), seen_subjects()
    generator = Generator.load(read_section("render", RenderParams).drawn_size)
    subjects = training_subjects(names, DATA / "clips/seen")
    faces = _describe_people(subjects, generator.drawn_size, "")
    known = (
        _describe_people(subjects, generator.drawn_size, params.arcface) if params.arcface else {}
    )
    owners = read_section("transfers", Transfers).owners()
    seed, tuned = read_section("training", Training).seed, [owner.name for owner in owners]
    styles = SeenStyles(subjects, params, seed, tuned)
    seconds = read_section("render", RenderParams).seconds
    results = {s.name: _evaluate(s, generator, faces, known, params, styles) for s in subjects}
    metrics = {name: result.metrics for name, result in results.items()}
    pictures = score_unseen_pictures(unseen_subjects(), generator, names[0])
    motions = score_unseen(unseen_subjects(), styles, seconds)
    unseen = {name: pictures[name] | motion for name, motion in motions.items()}
    transferred = score_transfers(owners, styles, seconds)
    absent = absent_measures(params)
    content = {
        "split": SPLIT,
        "crop": CROP,
        "size": generator.drawn_size,
        "judges": {
            "generator": file_hash(MODEL),
            "measures": MEASURES_VERSION,
            **{name: pretrained.sha256(name) for name in JUDGES},
            **params.judges(),
        },
        "absent": absent,
        "subjects": metrics,
        "unseen": unseen,
        "transfers": transferred,
    }
    headline.write_scores(content)
    tables_page = page(SPLIT, CROP, metrics, absent, transferred, unseen)
    write_atomic(EVALUATION / "tables.md", tables_page)
    with tables.writer(EVALUATION / "frames.parquet", SCORES, 65536) as add:
        for result in results.values():
            add(result.frames)
    with tables.writer(EVALUATION / "voice.parquet", VOICE_SCORES, 65536) as add:
        for result in results.values():
            add(result.voice)


def absent_measures(params: EvaluationParams) -> dict[str, str]:
    """Return why measures of the field are not computed, by name."""
    return {name: why for name, why in ABSENT.items() if _BROUGHT.get(name) not in params.judges()}


def _describe_people(subjects: Sequence[Subject], size: int, arcface: str) -> dict[str, Faces]:
    """Describe the faces of people by name, by ArcFace or, without its weights, by dlib."""
    people = [(subject, size, arcface) for subject in subjects]
    described = process_pool.run(identity.describe_person, people)
    return {s.name: faces for s, faces in zip(subjects, described, strict=True)}


def _evaluate(
    subject: Subject,
    generator: Generator,
    faces: Mapping[str, Faces],
    known: Mapping[str, Faces],
    params: EvaluationParams,
    styles: SeenStyles,
) -> SubjectResult:
    held, names = SubjectFrames(subject), list(faces)
    others = [name for name in names if name != subject.name]
    lend = read_section("render", RenderParams).donors
    donors = read_donors(subject.name) if lend else {}
    drawn = reconstruction.reconstruct(held, generator, donors, others, params.frames)
    scores = frame_scores.score_frames(drawn)
    means = frame_scores.mean_scores(scores)
    tracks = SubjectTracks(held)
    generated, seen = tracks.generated.head, join_detections(tracks.detections)
    swapped = {"isps_swapped_move": frame_scores.change(drawn, "isps_swapped")} if others else {}
    redetected = opening_scores.score_drawn(drawn)
    flagged = restyled.score(subject, drawn, generator, others)
    metrics: dict[str, Any] = {
        "frames": len(drawn.frames),
        "frames_of_new_scenes": drawn.new_scene,
        "reconstruction": means,
        "identity": identity.score_identity(drawn, faces, subject.name),
        **_score_by_brought(drawn, known, tracks, params),
        "gain_psnr_face": frame_scores.gain_over_baseline(means, "psnr_face"),
        "gain_psnr_face_network": frame_scores.network_gain(means, "psnr_face"),
        "gain_psnr": frame_scores.gain_over_baseline(means, "psnr"),
        "isps_zeroed_move": frame_scores.change(drawn, "isps_zeroed"),
        **swapped,
        "drawn_again": {name: asdict(scores) for name, scores in redetected.items()},
        "restyled": {name: asdict(row) for name, row in flagged.items()},
        "motion_frames": len(tracks),
        **_score_motion(tracks),
        **theval_videos.score_subject(tracks),
        "render": opening_scores.score_render(held, seen.points, seen.valid),
        "style": styles.score(tracks),
    }
    _write_figures(held, drawn, generated, np.where(seen.valid, mouth_opening(seen.points), np.nan))
    return SubjectResult(
        metrics,
        frame_scores.score_columns(subject.name, drawn, scores),
        motion_scores.voice_columns(held, generated, seen.points),
    )


def _score_by_brought(
    drawn: Reconstruction,
    known: Mapping[str, Faces],
    tracks: SubjectTracks,
    params: EvaluationParams,
) -> dict[str, Any]:
    """Return CSIM, FID, LSE-C and LSE-D, each where the user brings its weights."""
    scores: dict[str, Any] = {}
    if params.arcface:
        scores["csim"] = identity.score_identity(drawn, known, tracks.name, params.arcface)
    if params.inception:
        some = {method: drawn.methods[method] for method in frame_scores.VGG_METHODS}
        scores["fid"] = fid.score_fid(drawn.truth, some, params.inception)
    if params.syncnet:
        scores["lse"] = lse.score_subject(tracks, params.syncnet)
    return scores


def _score_motion(tracks: SubjectTracks) -> dict[str, Any]:
    """Score the generated motion, the rendered one, the truth and the baselines."""
    rows = {
        "truth": [tracks.truth],
        "generated": [tracks.generated],
        "redetected": [tracks.redetected],
        "mean_face": [still_face(tracks.truth, tracks.held.mean_head())],
        "other_audio": list(other_audio(tracks.generated)),
    }
    return score_rows(tracks.truth, tracks.speech, rows)


def _write_figures(
    held: SubjectFrames, drawn: Reconstruction, generated: AnyFloats, redetected_opening: AnyFloats
) -> None:
    name, images = held.subject.name, {"truth": drawn.truth, **drawn.methods}
    rows = {method: images[method] for method in _PLOTTED}
    plots.plot_frames(FIGURES / f"{name}_frames.png", rows, f"{name}: held-out frames")
    curves = {
        "truth": mouth_opening(held.rendered_column("head")),
        "generated": mouth_opening(generated),
        "seen in the render": redetected_opening,
    }
    figure = FIGURES / f"{name}_mouth.png"
    plots.plot_opening(figure, curves, held.fps, f"{name}: held-out voice")
