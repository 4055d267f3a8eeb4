"""Render the held-out voice of one seen subject.

    python -m stages render seen/NAME

Reads the subject's held-out spans, features and landmarks, the ISPs and the two models; writes
reports/videos/NAME.mp4 and reports/videos/NAME: NAME.parquet (its motion), beside.mp4 (truth, from
true landmarks, from the voice), and as_OTHER.mp4 and .parquet in the next seen subject's style.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch

from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.progress import each
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_frames
from stages.generator.model import Source
from stages.generator.sources import held_out_sources
from stages.render.actor import Columns, Models, enlarged, load_models, pictures, style_patterns
from stages.render.artifacts import MOTION
from stages.render.beside import side_by_side, truth
from stages.render.heldout import Span, resting, spans, speak, true_landmarks, voice
from stages.render.params import RenderParams

VIDEOS = Path("reports/videos")
_ROWS = 64  # in a row group: about a second


class Scene:
    """One subject's held-out voice, and what it takes to draw it."""

    def __init__(
        self, subject: Subject, parts: list[Span], models: Models, params: RenderParams
    ) -> None:
        self.subject, self.parts, self.models, self.params = subject, parts, models, params
        self.fps = models.motion.fps
        self.sound = (voice(parts), AUDIO_RATE)
        self.frames = sum(len(part) for part in parts)
        trained = models.generator.sources[subject.name]
        self.sources = held_out_sources(subject, trained, models.generator.size)
        self.usual = trained[0]

    def source(self, span: Span) -> Source:
        """Return the source of a span's scene; the usual one where no frame shows a face."""
        return self.sources.get(span.clip.id, self.usual)

    def speak(self, style: str, seed: int, video: Path, table: Path) -> None:
        """Write the video of the voice in a style, and its motion."""
        columns = speak(self.models.motion, self.subject, self.parts, style, seed)
        tables.write(table, MOTION, columns, _ROWS)
        sources = [
            self.source(span) if resting(self.subject, span.clip) else self.usual
            for span in self.parts
        ]
        drawn = enlarged(self.draw(columns, style, sources), self.params.panel)
        self.encode(video, each(drawn, f"render {video.name}", self.frames))

    def draw(self, columns: Columns, style: str, sources: Sequence[Source]) -> Iterator[Image]:
        """Draw landmarks, a source a span, with the ISPs of a style."""
        isps, at = style_patterns(style), 0
        for span, source in zip(self.parts, sources, strict=True):
            rows = {name: values[at : at + len(span)] for name, values in columns.items()}
            generator, name = self.models.generator, self.subject.name
            yield from pictures(generator, name, rows, isps, self.params.batch, source)
            at += len(span)

    def encode(self, video: Path, drawn: Iterable[Image]) -> None:
        """Write a video with the voice."""
        encode_video(video, drawn, self.fps, self.sound, self.params.crf)

    def compare(self, spoken: Path, video: Path) -> None:
        """Write truth, reconstruction and the spoken video beside each other."""
        sources = [self.source(span) for span in self.parts]
        known = self.draw(true_landmarks(self.subject, self.parts), self.subject.name, sources)
        panels = [
            truth(self.parts, self.models.generator.size),
            known,
            (picture for _, picture in read_frames(spoken)),
        ]
        rows = side_by_side(panels, self.params.panel)
        self.encode(video, each(rows, f"render {video.name}", self.frames))


def run(subject: Subject, seen: list[str], params: RenderParams, seed: int) -> None:
    """Render a subject in its own style and in the next one's.

    Raises:
        UserError: an input is missing or does not fit.
    """
    if subject.name not in seen:
        raise BadParams(subject, f"not in subjects.seen ({', '.join(seen)})")
    own, other = subject.name, seen[(seen.index(subject.name) + 1) % len(seen)]
    models = load_models(own, other)
    scene = Scene(subject, spans(subject, params.seconds), models, params)
    with atomic_folder(VIDEOS / own) as folder:
        spoken = VIDEOS / f"{own}.mp4"
        scene.speak(own, seed, spoken, folder / f"{own}.parquet")
        if other != own:
            crossed = folder / f"as_{other}.mp4"
            scene.speak(other, seed, crossed, crossed.with_suffix(".parquet"))
        scene.compare(spoken, folder / "beside.mp4")


def main(subject: str) -> None:
    """Render the subject that the command line names."""
    torch.set_num_threads(1)  # threads are part of the result, and renders run side by side
    seed = read_section("training", Training).seed
    run(Subject.parse(subject), seen_subjects(), read_section("render", RenderParams), seed)
