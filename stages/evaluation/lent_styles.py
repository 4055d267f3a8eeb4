"""Motion of held-out speech in the styles of other people, and the real motion to compare it with.

Each seen person's speech is generated in at most four other styles: those of the seen people that
follow in `subjects.seen`, cyclically. The style that `render` draws is the first of them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.base.io.timebase import to_frames
from stages.clips.ledger import Clip, clips_of
from stages.evaluation.held_out_frames import SubjectFrames
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_scores import StyleWindowing
from stages.evaluation.styles import StyleComparison, StylePerson
from stages.evaluation.subject_tracks import SubjectTracks
from stages.evaluation.track import Track, read_track, track_of_columns
from stages.motion.model import MotionModel
from stages.motion.recordings import read_rest
from stages.render.artifacts import MOTION, VIDEOS
from stages.render.held_out_speech import held_out_spans, predict_speech

MOST_STYLES = 4
_COLUMNS = ("head", "rotation", "translation", "points", "irises")


class SeenStyles:
    """Scores of seen people's speech in their own and in each other's styles.

    Args:
        subjects: the seen people, in the order of `subjects.seen`.
        params: section `evaluation`.
        seed: of generated motion.
        transferred: styles that `render` draws by a model of their own.

    Attributes:
        model: the motion model.
        people: real motion by name.
        windows: of SLD, SLV and SMD.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        params: EvaluationParams,
        seed: int,
        transferred: Collection[str] = (),
    ) -> None:
        self.model, self.seed, self.transferred = MotionModel.load(), seed, transferred
        self.people = read_seen_people(subjects)
        self.windows = style_windows(params, self.model.fps)
        self._compared = StyleComparison(self.people, self.windows)

    def score(self, tracks: SubjectTracks) -> dict[str, Any]:
        """Score one seen person, as `StyleComparison.score_own_style`."""
        styles = styles_lent_to(tracks.name, list(self.people))
        lent = lend_styles(self.model, tracks, styles, self.seed, self.transferred)
        return self._compared.score_own_style(tracks.name, tracks.generated, lent)


def style_windows(params: EvaluationParams, fps: float) -> StyleWindowing:
    """Return the windows of SLD, SLV and SMD; velocities need two frames."""
    return StyleWindowing(to_frames(params.window_s, fps, 2), to_frames(params.stride_s, fps, 1))


def styles_lent_to(name: str, seen: Sequence[str]) -> list[str]:
    """List the seen people whose styles are lent to a seen person."""
    place = seen.index(name)
    return [*seen[place + 1 :], *seen[:place]][:MOST_STYLES]


def read_real_motion(subject: Subject, clips: Sequence[Clip]) -> Track:
    """Read the motion of the clips' training spans; clips with too few frames are left out."""
    rests = [(clip, read_rest(subject, clip, DATA)) for clip in clips]
    known = [(clip, rest) for clip, rest in rests if rest]
    return read_track(
        subject, [(clip, *clip.train) for clip, _ in known], [rest for _, rest in known]
    )


def read_seen_people(subjects: Sequence[Subject]) -> dict[str, StylePerson]:
    """Read the real motion of seen people: training spans, and the speech that is rendered."""
    people = {}
    for subject in subjects:
        reference = read_real_motion(subject, clips_of(subject))
        truth = SubjectTracks(SubjectFrames(subject)).truth
        people[subject.name] = StylePerson(subject.name, reference, truth)
    return people


def lend_styles(
    model: MotionModel,
    tracks: SubjectTracks,
    styles: Sequence[str],
    seed: int,
    transferred: Collection[str] = (),
) -> Mapping[str, Track]:
    """Return the motion of a seen person's rendered speech in other styles, by style.

    A style that `render` has drawn by this model is read from its table, and is generated
    otherwise: `render` draws the styles of `transferred` by models of their own.
    """
    subject, fps = tracks.held.subject, tracks.held.fps
    spans = held_out_spans(subject, len(tracks) / fps)
    lent = {}
    for style in styles:
        table = VIDEOS / subject.name / f"as_{style}.parquet"
        columns = (
            tables.read(table, MOTION, _COLUMNS)
            if table.is_file() and style not in transferred
            else predict_speech(model, subject, spans, style, seed)
        )
        lent[style] = track_of_columns(columns, tracks.rests, tracks.truth.span, fps)
    return lent
