"""Render the held-out speech of one seen subject.

    python -m stages render seen/NAME     # tiny preset: seconds

Reads the subject's held-out spans, features and landmarks, the ISPs and the two models; writes
reports/videos/NAME.mp4 and reports/videos/NAME: NAME.parquet (its motion), beside.mp4 (truth, from
true landmarks, from the voice), as_OTHER.mp4 and .parquet in the next seen subject's style, by the
motion model that is fine-tuned to it if there is one, portrait.mp4: the neutral image in the
subject's style, and onto.mp4: the beginning of the subject's own video with the speech's mouth.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.progress import with_progress
from pipeline.runtime.user_errors import BadFormat, BadParams
from stages.base.arrays import AnyFloats
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import AUDIO_RATE, to_frames
from stages.base.io.video_frames import read_facts, read_frames
from stages.clips.artifacts import CLIPS_DIR, RAW_DIR
from stages.clips.frames import Frames
from stages.clips.ledger import LEDGER_FILE, read_rows
from stages.clips.videos import list_videos, printable
from stages.donors.library import read_donors
from stages.donors.painter import DonorPainter
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.generator.source_images import Source, held_out_sources
from stages.landmarks.params import LandmarksParams
from stages.motion.model import MotionModel
from stages.motion.recordings import read_rest
from stages.portrait.params import PortraitParams
from stages.portrait.picture import Portrait, detect
from stages.render.artifacts import MOTION, VIDEOS
from stages.render.full_frame import enlarge
from stages.render.held_out_speech import (
    Columns,
    HeldOutSpan,
    held_out_spans,
    predict_motions,
    predict_speech,
    read_speech,
    read_true_landmarks,
)
from stages.render.onto_video import ShotDrawer, revoice
from stages.render.params import RenderParams
from stages.render.portrait_frames import portrait_frames
from stages.render.trained_models import Models, load_models, transferred_path
from stages.render.video_shots import read_usable_clips
from stages.style_mapping.retargeted_neutral import IMAGE, read_neutral_image

_ROWS = 64  # in a row group: about a second
_LABELS = ("truth", "from true landmarks", "from the voice")
_STRIP, _GREY = 24, 235  # height, px, and colour of the labels' strip
_ONTO_SECONDS = 4.0


class Renderer:
    """Renders one subject's held-out speech."""

    def __init__(
        self, subject: Subject, spans: list[HeldOutSpan], models: Models, params: RenderParams
    ) -> None:
        self.subject, self.spans, self.models, self.params = subject, spans, models, params
        self.default = models.generator.default_source(subject.name)
        trained = models.generator.sources[subject.name]
        known = held_out_sources(subject, trained, models.generator.size)
        self.donors = read_donors(subject.name) if params.donors else {}
        # A clip without any face has no source of its own.
        self.sources = [known.get(span.clip.id, self.default) for span in spans]

    def write_speech(self, style: str, seed: int, video: Path, table: Path) -> Columns:
        """Render the held-out speech in a style; write video and motion table.

        Returns:
            The motion columns.
        """
        tuned = None if style == self.subject.name else transferred_path(style)
        motion = MotionModel.load(tuned) if tuned else self.models.motion
        columns = predict_speech(motion, self.subject, self.spans, style, seed)
        tables.write(table, MOTION, columns, _ROWS)
        # Where a clip has no rest the motion is in the default source's camera.
        sources = [
            source if read_rest(self.subject, span.clip, DATA) else self.default
            for span, source in zip(self.spans, self.sources, strict=True)
        ]
        frames = self._draw(columns, style, sources)
        self._encode(video, enlarge(frames, self.params.panel))
        return columns

    def write_comparison(self, speech: Path, video: Path) -> None:
        """Write truth, reconstruction and the video of the speech side by side."""
        landmarks = read_true_landmarks(self.subject, self.spans)
        panels = [
            _decode(self.spans, self.params.drawn_size),
            self._draw(landmarks, self.subject.name, self.sources),
            (image for _, image in read_frames(speech)),
        ]
        self._encode(video, side_by_side(panels, self.params.panel))

    def write_portrait(self, portrait: Portrait, seed: int, video: Path) -> None:
        """Write the video of a portrait that speaks the speech in the subject's style."""
        models = replace(self.models, generator=Generator.load(portrait.size))
        name = self.subject.name
        motions = predict_motions(models.motion, self.subject, self.spans, name, seed)
        frames = portrait_frames(models, portrait, name, motions)
        self._encode(video, enlarge(frames, self.params.panel))

    def _draw(self, columns: Columns, style: str, sources: Sequence[Source]) -> Iterator[Image]:
        """Draw the frames of landmark columns with one source a span and the ISPs of a style."""
        isps, first = read_isps(style).chosen_images(), 0
        for span, source in zip(self.spans, sources, strict=True):
            end = first + len(span)
            rows = Driving.from_columns({name: c[first:end] for name, c in columns.items()})
            frames = self.models.generator.frames(source, rows, isps, self.params.batch)
            yield from DonorPainter(self.donors, source).paint(frames, rows)
            first = end

    def _encode(self, video: Path, images: Iterable[Image]) -> None:
        count = sum(map(len, self.spans))
        sound = (read_speech(self.spans), AUDIO_RATE)
        counted = with_progress(images, f"render {video.name}", count)
        encode_video(video, counted, self.models.motion.fps, sound, self.params.crf)


def _decode(spans: Sequence[HeldOutSpan], size: int) -> Iterator[Image]:
    """Decode the frames of spans, (size, size, 3) each."""
    for span in spans:
        frames = Frames(span.clip.video, size)
        for index in range(span.first, span.end):
            yield frames[index]


def side_by_side(panels: Sequence[Iterable[Image]], size: int) -> Iterator[Image]:
    """Join the frames of several videos side by side, under their labels."""
    header = np.full((_STRIP, len(panels) * size, 3), _GREY, np.uint8)
    scale = min(0.5, size / 420)
    for index, label in enumerate(_LABELS):
        place = (index * size + 6, _STRIP - 8)
        cv2.putText(header, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (30, 30, 30), 1, 16)
    for images in zip(*panels, strict=True):
        row = np.concatenate([resize(image, size) for image in images], axis=1)
        yield np.concatenate([header, row])


def read_neutral_portrait() -> Portrait:
    """Read the neutral image as a portrait; raise MissingInput or BadFormat."""
    image, most = read_neutral_image(), read_section("portrait", PortraitParams).size
    scaled = resize(image, min(len(image) // 2 * 2, most))
    portrait = detect(scaled, read_section("landmarks", LandmarksParams))
    if portrait is None:
        raise BadFormat(IMAGE, "no face is found in it", "set another: `idiolect neutral IMAGE`")
    return portrait


def run(subject: Subject, seen: list[str], params: RenderParams, seed: int) -> None:
    """Render a subject in its own style and in the next seen subject's.

    Raises:
        UserError: an input is missing or does not fit.
    """
    if subject.name not in seen:
        found = f"expected a seen subject (known: {', '.join(seen)})"
        raise BadParams(subject, found, "render one of these")
    own, other = subject.name, seen[(seen.index(subject.name) + 1) % len(seen)]
    models = load_models((own, other), params.drawn_size)
    renderer = Renderer(subject, held_out_spans(subject, params.seconds), models, params)
    with atomic_folder(VIDEOS / own) as folder:
        speech = VIDEOS / f"{own}.mp4"
        columns = renderer.write_speech(own, seed, speech, folder / f"{own}.parquet")
        if other != own:
            crossed = folder / f"as_{other}.mp4"
            renderer.write_speech(other, seed, crossed, crossed.with_suffix(".parquet"))
        renderer.write_comparison(speech, folder / "beside.mp4")
        renderer.write_portrait(read_neutral_portrait(), seed, folder / "portrait.mp4")
        spoken = columns["head"]
        write_onto(subject, renderer.spans, spoken, models, params, folder / "onto.mp4")


def write_onto(
    subject: Subject,
    spans: Sequence[HeldOutSpan],
    heads: AnyFloats,
    models: Models,
    params: RenderParams,
    out: Path,
) -> None:
    """Write the beginning of the first span's shot, with mouth and voice of the held-out speech.

    Args:
        subject: whose video it is.
        spans: of the held-out speech.
        heads: the head while it speaks, a frame, (N, 68, 3), face heights.
        models: trained on the subject.
        params: section `render`.
        out: the video, of the source's size and rate; an odd size, which H.264 lacks, gives none.
    """
    rows = read_rows(CLIPS_DIR / str(subject) / LEDGER_FILE)
    row = next(row for row in rows if row.clip == spans[0].clip.id)
    videos = list_videos(RAW_DIR / subject.name)
    video = next(path for path in videos if printable(path.name) == row.video)
    facts = read_facts(video)
    if facts.width % 2 or facts.height % 2:
        print(f"no {out.name}: {video} is {facts.width}×{facts.height}, H.264 needs even sizes")
        return
    sound = read_speech(spans)
    seconds = min(_ONTO_SECONDS, len(sound) / AUDIO_RATE, float(row.end - row.start))
    count = to_frames(seconds, facts.fps, least=1)
    drawer = ShotDrawer(models, subject.name, subject.name, params)
    _, shots = read_usable_clips(video)
    images = revoice(video, facts, count, shots, heads, drawer, start=float(row.start))
    heard = sound[: round(count / facts.fps * AUDIO_RATE)], AUDIO_RATE
    encode_video(
        out, with_progress(images, f"render {out.name}", count), facts.fps, heard, params.crf
    )


def main(subject: str) -> None:
    """Render the subject that the command line names."""
    torch.set_num_threads(1)  # threads change bytes, and renders run in parallel
    seed = read_section("training", Training).seed
    run(Subject.parse(subject), seen_subjects(), read_section("render", RenderParams), seed)
