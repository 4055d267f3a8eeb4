"""Portraits of people never trained on: their first frame, driven by their own video and voice.

    idiolect repro
    python bench/portrait.py may senator --style sample_lively      # folders of ../shared/data

From the landmarks of other frames: PSNR and LPIPS of the face crop, PSNR of the mouth, CSIM-dlib
to the mean of the true frames, and r of the openings of mouth and eyes, detected again. The first
frame's landmarks are the video's own, as the other frames' are: those of a single picture differ by
up to 2 px, the shoulders by 7. Rows: the source as it is, warped, with the generator's network, and
as `idiolect render --portrait` draws.
From the person's own voice in the style: r of the mouth's opening to the true one, and to the
driven one. Reads the project's models; computes people in .idiolect/bench.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import testbed
import torch
from numpy.typing import NDArray

from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import eye_opening, mouth_opening
from stages.base.io import tables
from stages.base.io.image_io import Image, encode_png, resize
from stages.base.training.face_identity import similarity
from stages.clips.frames import Frames
from stages.clips.ledger import Clip
from stages.donors.library import Donors
from stages.donors.painter import DonorPainter
from stages.evaluation import metrics
from stages.evaluation.face_lpips import face_lpips
from stages.evaluation.identity import describe
from stages.evaluation.redetection import detect_faces
from stages.generator.driving import Driving
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.params import LandmarksParams
from stages.motion.predict import Motion, join, retarget
from stages.portrait.drawing import Drawer
from stages.portrait.identity import as_motion_person
from stages.portrait.picture import Portrait, detect
from stages.render.any_audio import predict_motion
from stages.render.portrait_frames import open_drawer, read_donors_for_style
from stages.render.trained_models import Models, load_models

SIZE = 256
FRAMES, VOICE_FRAMES = 24, 100
Rows = Mapping[str, Image]


def driving_of(subject: Subject, clip: Clip, rows: NDArray[np.intp]) -> Driving:
    """Return the true landmarks of frames, px of SIZE."""
    table = tables.read(DATA / "landmarks" / str(subject) / f"{clip.id}.parquet", LANDMARKS)
    known = table["shoulders_valid"].astype(bool)[:, None, None]
    shoulders = np.where(known, table["shoulders"], np.nan)
    columns = {"points": table["points"], "irises": table["irises"], "shoulders": shoulders}
    driving = Driving.from_columns({name: values[rows] for name, values in columns.items()})
    return driving.scaled(SIZE / clip.size)


def valid_frames(subject: Subject, clip: Clip) -> NDArray[np.intp]:
    table = tables.read(DATA / "landmarks" / str(subject) / f"{clip.id}.parquet", LANDMARKS)
    valid = np.flatnonzero(table["valid"].astype(bool))
    return valid[valid > 0]


def draw_rows(
    drawer: Drawer, portrait: Portrait, driving: Driving, donors: Mapping[str, Donors]
) -> Rows:
    generator, source, count = drawer.generator, drawer.source, len(driving)
    network = list(generator.frames(source, driving, drawer.isps))
    rows: dict[str, Iterator[Image] | list[Image]] = {
        "source": [resize(portrait.image, SIZE)] * count,
        "source_warped": generator.warped_source(source, driving),
        "network": network,
        "network, donors of the style": DonorPainter(donors, source).paint(network, driving),
        "portrait": replace(drawer, network=False).draw(driving),
        "portrait with the network": replace(drawer, network=True).draw(driving),
    }
    return {name: np.stack(list(images)) for name, images in rows.items()}


def mouth_box(points: NDArray[np.floating]) -> metrics.Box:
    low, high = points[48:68].min(0) - 8, points[48:68].max(0) + 8
    (left, top), (right, bottom) = np.clip(np.stack([low, high]), 0, SIZE).astype(int)
    return int(left), int(top), int(right), int(bottom)


def mean_psnr(truth: Image, images: Image, boxes: list[metrics.Box]) -> float:
    pairs = zip(truth, images, boxes, strict=True)
    return float(
        np.mean([metrics.psnr(*(metrics.crop(i, b) for i in (t, d))) for t, d, b in pairs])
    )


def score(truth: Image, rows: Rows, points: NDArray[np.floating]) -> None:
    faces = [metrics.face_box(p, SIZE) for p in points]
    mouths = [mouth_box(p) for p in points]
    lpips = face_lpips(truth, rows, faces, "alex")
    own = describe(truth, points)
    print("| row | PSNR | mouth | LPIPS | CSIM-dlib | r mouth | its amplitude | r eyes |")
    print(f"|{'---|' * 8}")
    for name, images in {"truth": truth, **rows}.items():
        csim = np.nanmean(similarity(describe(images, points), own.mean(0)))
        found = detect_faces(images)
        true, seen = points[found.valid], found.points[found.valid]
        mouth = metrics.correlation(mouth_opening(true), mouth_opening(seen))
        ratio = mouth_opening(seen).std() / mouth_opening(true).std()
        eyes = metrics.correlation(eye_opening(true).mean(-1), eye_opening(seen).mean(-1))
        psnr = ["", "", ""]
        if name in rows:
            values = mean_psnr(truth, images, faces), mean_psnr(truth, images, mouths)
            psnr = [*(f"{v:.2f}" for v in values), f"{lpips[name].mean():.4f}"]
        print(
            f"| {name} | {' | '.join(psnr)} | {csim:.3f} | {mouth:.3f} | {ratio:.2f} | {eyes:.3f} |"
        )


def score_voice(
    models: Models, drawer: Drawer, portrait: Portrait, motion: Motion, style: str, true: Driving
) -> None:
    face, mover = (
        as_motion_person(portrait, models.motion.person(style)),
        models.motion.person(style),
    )
    driving = Driving.from_columns(retarget(motion, mover, face))
    driving = Driving(
        driving.points[: len(true)], driving.irises[: len(true)], driving.shoulders[: len(true)]
    )
    found = detect_faces(drawer.draw(driving))
    valid = found.valid
    openings = [mouth_opening(p[valid]) for p in (true.points, driving.points, found.points)]
    truth, driven, seen = openings
    to_truth, again = metrics.correlation(truth, driven), metrics.correlation(truth, seen)
    print(f"voice, {len(true)} frames: r to the truth {to_truth:.2f} driven, {again:.2f} detected")
    print(f"again; detected again to driven {metrics.correlation(driven, seen):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="+")
    parser.add_argument("--style", default=seen_subjects()[0])
    parser.add_argument("--sheets", type=Path, help="Folder for a sheet of pictures a person.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    style, landmarks = arguments.style, read_section("landmarks", LandmarksParams)
    models, donors, home = load_models((), SIZE, style), read_donors_for_style(style), Path.cwd()
    seed = read_section("training", Training).seed
    for name in arguments.people:
        subject = Subject("unseen", name)
        with testbed.own_folder():
            clip = testbed._clips_of(subject, home / testbed.SHARED)[0]
            frames, valid = Frames(clip.video, SIZE), valid_frames(subject, clip)
            rows = valid[np.unique(np.linspace(0, len(valid) - 1, FRAMES).astype(int))]
            driving, truth = driving_of(subject, clip, rows), np.stack([frames[i] for i in rows])
            run = np.arange(1, min(clip.frames, VOICE_FRAMES + 1))
            run = run[np.isin(run, valid)]
            true, first, sound = driving_of(subject, clip, run), frames[0], clip.audio.resolve()
            begin = driving_of(subject, clip, np.zeros(1, np.intp))
        portrait = detect(first, landmarks)
        if portrait is None:
            raise SystemExit(f"{name}: no face in the first frame")
        tracked = replace(portrait, points=begin.points[0], shoulders=begin.shoulders[0])
        drawer = open_drawer(models.generator, tracked, style)
        print(f"\n{name}: mouth open by {mouth_opening(portrait.points):.3f} in the portrait")
        drawn = draw_rows(drawer, portrait, driving, donors)
        score(truth, drawn, driving.points)
        motion = join(list(predict_motion(models, style, sound, int(run[-1]) + 1, seed)))
        picked = Motion(
            motion.displacement[run], motion.pose[run], motion.closed[run], motion.gaze[run]
        )
        score_voice(
            models, open_drawer(models.generator, portrait, style), portrait, picked, style, true
        )
        if arguments.sheets:
            arguments.sheets.mkdir(parents=True, exist_ok=True)
            picture = np.concatenate(
                [np.concatenate(list(i[::3]), 1) for i in (truth, *drawn.values())]
            )
            (arguments.sheets / f"{name}.png").write_bytes(encode_png(picture))


if __name__ == "__main__":
    main()
