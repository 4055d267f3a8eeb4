"""All that a user asks of one render: a face, a style, a voice, and controls.

Request(identity="anna", audio=Path("voice.wav"), controls=Controls(mouth=1.2)).render(out)
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import model_validator

from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import ROLES
from stages.donors.artifacts import DONORS_DIR
from stages.generator import artifacts as generator
from stages.motion import model as motion
from stages.render.any_audio import render_audio
from stages.render.any_portrait import render_portrait
from stages.render.controls import UNCHANGED, Controls
from stages.render.full_frame import Frame
from stages.render.onto_video import render_onto
from stages.render.trained_models import transferred_path
from stages.render.video_shots import read_usable_clips
from stages.speech.artifacts import AUDIO_MODEL


class Request(Section):
    """One render; exactly one of identity, portrait and onto is the face.

    Attributes:
        identity: a trained subject.
        portrait: a picture of anyone.
        onto: a video of a trained subject.
        style: who lends the style; default: the face's person.
        audio: the voice.
        restyle: draw neutral motion, whose amplitude the ISPs of the style restore.
        controls: changes to the render.
        frame: "full" pastes the head into its still background; a video's is always full.

    Raises:
        UserError: they do not fit together.
    """

    identity: str | None = None
    portrait: Path | None = None
    onto: Path | None = None
    style: str | None = None
    audio: Path
    restyle: bool = False
    controls: Controls = UNCHANGED
    frame: Frame = "square"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(face is not None for face in (self.identity, self.portrait, self.onto)) != 1:
            raise UserError("render", "expected either --identity or --portrait or --onto")
        if self.restyle and self.identity is None:
            found = "--portrait" if self.portrait is not None else "--onto"
            raise UserError("render", f"expected --restyle with --identity, found {found}")
        if self.portrait is not None and self.style is None:
            raise UserError("render", "expected --style with --portrait", "name a subject")
        return self

    def render(self, out: Path) -> int:
        """Write the video; return the number of frames. Errors are those of the three renders."""
        style, controls, frame = self.style, self.controls, self.frame
        if self.onto is not None:
            return render_onto(self.onto, self.audio, out, style, controls=controls)
        if self.portrait is not None and style is not None:
            return render_portrait(
                self.portrait, style, self.audio, out, controls=controls, frame=frame
            )
        return render_audio(
            str(self.identity),
            style or str(self.identity),
            self.audio,
            out,
            restyle=self.restyle,
            controls=controls,
            frame=frame,
        )

    def inputs(self) -> list[Path]:
        """List the user's files: the voice, and the picture or video."""
        return [path for path in (self.audio, self.portrait, self.onto) if path is not None]

    def results(self) -> list[Path]:
        """List the project's files that decide the video: models, ISPs and donors."""
        return [path for path in self._results() if path.is_file()]

    def _results(self) -> Iterator[Path]:
        face = self._person()
        style = self.style or face
        tuned = transferred_path(style) if style != face else None
        yield from (AUDIO_MODEL, tuned or motion.MODEL, generator.MODEL)
        yield from (DATA / "isp" / role / style / "isps.parquet" for role in ROLES)
        # A style without donors borrows those of the first seen person.
        for name in [face or style, *([] if face else seen_subjects()[:1])]:
            yield DONORS_DIR / name / "donors.parquet"

    def _person(self) -> str:
        """Return the trained person whose face it is; "" for a portrait or nobody's video."""
        if self.onto is not None:
            with suppress(UserError):  # of the video, which the render reports
                return read_usable_clips(self.onto)[0]
        return self.identity or ""
