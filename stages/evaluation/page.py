"""The page tables.md: a section for each subject, its tables by what they judge."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tabulate import tabulate

from stages.evaluation.style_tables import style_tables, transfer_rows

Rows = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Table:
    """One table of a subject's section.

    Attributes:
        key: of the rows in the subject's part of scores.json.
        text: what the rows and columns are, one sentence or two.
        measure: name of the only column, where each row is one number.
    """

    key: str
    text: str
    measure: str = ""


@dataclass(frozen=True)
class Group:
    """Tables under one heading."""

    title: str
    tables: tuple[Table, ...]


GROUPS = (
    Group(
        "Picture",
        (
            Table(
                "reconstruction",
                "Frames drawn from true landmarks against the true frames: PSNR in dB, SSIM, "
                "LPIPS, sharpness over the true one, CPBD, and mean differences of a region in "
                "grey levels, to the truth and to the matched style reference.",
            ),
            Table(
                "identity",
                "CSIM-dlib: cosine of dlib's face descriptors to the mean one of the subject's "
                "training frames (of an unseen person, of the first halves), of frames drawn, of "
                "true ones, and of other people's.",
                "csim_dlib",
            ),
            Table("csim", "CSIM: the same by ArcFace's descriptors, weights of the user.", "csim"),
            Table("fid", "FID of whole frames to the true ones, weights of the user.", "fid"),
        ),
    ),
    Group(
        "Mouth",
        (
            Table(
                "motion",
                "Landmarks against the true ones, of the motion generated from the voice, and of "
                "the face detected again in the rendered video: distances in % of a face height.",
            ),
            Table(
                "sync",
                "Opening of the mouth against the true one and against the level of the sound, and "
                "the delay, up to 0.2 s, with the highest correlation. A real mouth does not "
                "follow the level exactly.",
            ),
            Table(
                "closures",
                "Lips that close within 40 ms of a B, M or P: of all; of those that the truth "
                "closes for; at moments that are spread evenly. `false`: share of the truly open "
                "frames with closed lips.",
            ),
            Table("lse", "LSE-D and LSE-C by SyncNet, weights of the user."),
            Table(
                "drawn_again",
                "Openings of mouth and eyes, detected again in frames drawn from true landmarks: "
                "correlation with the true ones, and amplitude over the true one.",
            ),
            Table(
                "restyled",
                "Frames drawn from neutral motion, whose style must come from the ISPs: the "
                "subject's own, another's, or none. `change`: in PSNR to the generator, with its "
                "95 % interval; `style_reached`: share of the amplitude that another's ISPs ask "
                "for.",
            ),
        ),
    ),
    Group(
        "Behaviour",
        (
            Table(
                "behaviour",
                "Blinks a minute, their depth (1 is shut) and duration in s; head pose in degrees "
                "and degrees a second; gaze in eye widths; and r² of the head's speed and the "
                "sound's level.",
            ),
            Table("behaviour_ratio", "The same over the truth's: 1 is best."),
        ),
    ),
    Group(
        "Style",
        (
            Table(
                "style_distances",
                "SLD, SLV and SMD of the generated motion from the true one, and of motion in the "
                "style of another from that person's true motion; beside both, real motion of "
                "another time.",
            ),
            Table(
                "style_identity",
                "Pieces of about four seconds that are nearest to the right person's training "
                "motion: the subject's, or that of the style's owner.",
            ),
            Table(
                "style_gap",
                "Gap closed by lending a style: 1 is as near to its owner as other real motion of "
                "theirs, 0 no nearer than the own style. `gap`: how far apart the styles are, in "
                "standard deviations within a person; nothing is scored below 0.5.",
            ),
            Table(
                "style_descriptors",
                "Style descriptors, as docs/reference/metrics.md explains them; `reference` is "
                "the subject's training motion.",
            ),
        ),
    ),
    Group(
        "THEval",
        (
            Table(
                "theval",
                "Four of its eight measures, of the true and of the rendered video: px of a frame "
                "of 256 px, and shares of the distance of the eyes.",
            ),
            Table("theval_score", "The same as its scores against the truth: 1 is best."),
        ),
    ),
)
_TRANSFERRED = (
    "Speech of the other seen people (at most four, means) against NAME's real motion: in each "
    "voice's own style; in the lent style vector of NAME; by models/motion_NAME.safetensors, "
    "fine-tuned to NAME's style; and NAME's real motion of another time. SLD, SLV and SMD; the "
    "share of the way by SLD from the own style to real motion; and the correlation of the mouth's "
    "opening with that of whoever speaks."
)
# How a value reads: towards which value it improves. A measure that is not here has no direction.
_MORE = (
    "lse_c",
    "psnr",
    "ssim",
    "cpbd",
    "csim",
    "correlation",
    "recall",
    "kept",
    "share",
    "closed",
)
_LESS = ("lse_d", "lpips", "fid", "l1", "false", "d_l", "lmd", "d_v", "d_a", "sld", "slv", "smd")
_ONE = ("amplitude", "sharpness")
_AS_TRUTH = ("level",)  # best at the truth's value, which is not the largest
_FIRST = "truth"
_PRECISE = ("lpips", "csim", "ssim", "cpbd", "eyebrow", "silent")


def page(
    split: str,
    crop: str,
    subjects: Mapping[str, Mapping[str, Any]],
    absent: Mapping[str, str],
    transfers: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    unseen: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> str:
    """Return the page in Markdown.

    Args:
        split: which frames are scored.
        crop: what the face crop is.
        subjects: part of scores.json of each subject.
        absent: why a measure of the field is not computed, by its name.
        transfers: the scores of `score_transfers`.
        unseen: the scores of `score_unseen_pictures` and `score_unseen`.
    """
    lines = ["# Evaluation", "", f"Split: {split}. Crop: {crop}.", ""]
    lines += ["↑ more is better, ↓ less is better, → 1 is best; the row `truth` is the best value."]
    for name, scores in subjects.items():
        lines += ["", *_section(name, scores, _summary(scores))]
    for name, scores in unseen.items():
        lines += ["", *_section(name, scores, _unseen_summary(scores))]
    if transfers:
        rows = rows_table(transfer_rows(transfers))
        lines += ["", "## Transferred styles", "", _TRANSFERRED, "", rows]
    lines += ["", "Absent: " + "; ".join(f"{k} ({why})" for k, why in absent.items()) + "."]
    return "\n".join(lines) + "\n"


def _section(name: str, scores: Mapping[str, Any], summary: Iterable[str]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield from summary
    scores = {**scores, **(style_tables(scores["style"]) if "style" in scores else {})}
    for group in GROUPS:
        present = [table for table in group.tables if scores.get(table.key)]
        if present:
            yield from ("", f"### {group.title}")
        for table in present:
            rows = scores[table.key]
            if table.measure:
                rows = {row: {table.measure: value} for row, value in rows.items()}
            yield from ("", table.text, "", rows_table(rows))


def _summary(scores: Mapping[str, Any]) -> Iterator[str]:
    frames, new = scores["frames"], scores["frames_of_new_scenes"]
    yield f"{frames} frames drawn from true landmarks, on the face crop"
    yield f"{scores['gain_psnr_face']:+.2f} dB over the best baseline;"
    yield f"{scores['motion_frames']} frames from the voice, whose mouth, detected again in the"
    yield f"rendered video, follows the truth with r = {scores['render']['mouth_correlation']:.2f}."
    if new:
        yield f"{new} of the drawn frames show a scene that training never saw: their source is"
        yield "the clip's first held-out frame, which is not scored."


def _unseen_summary(scores: Mapping[str, Any]) -> Iterator[str]:
    yield "A person whom no training reads."
    if reason := scores.get("absent_pictures"):
        yield f"No pictures: {reason}."
    else:
        yield "Pictures: frames of the second half of each clip, from their true landmarks, as"
        yield "`render --portrait` draws the clip's first frame with a face (`portrait`), and the"
        yield "same frame warped alone."
    if reason := scores.get("absent"):
        yield f"No motion: {reason}."
    else:
        yield f"{scores['motion_frames']} frames from the voice, in the styles of seen people and"
        yield "in the own style, which is encoded from the references."
    if reason := scores.get("absent_own_style"):
        yield f"No motion in the own style: {reason}."


def rows_table(rows: Rows) -> str:
    """Format scores as a Markdown table, a line for each row, the truth first."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    ordered = sorted(rows, key=lambda row: row != _FIRST)
    cells = [[row, *(rows[row].get(name) for name in names)] for row in ordered]
    heads = ["", *(arrowed(name) for name in names)]
    digits = ["", *(".3f" if _is_any(name, _PRECISE) else ".2f" for name in names)]
    return str(tabulate(cells, heads, "github", floatfmt=digits))


def arrowed(name: str) -> str:
    """Return a measure's name with an arrow towards its better value."""
    if _is_any(name, _AS_TRUTH):
        return name
    arrows = {"↑": _MORE, "↓": _LESS, "→": _ONE}
    return " ".join([name, *(arrow for arrow, parts in arrows.items() if _is_any(name, parts))])


def _is_any(name: str, parts: Iterable[str]) -> bool:
    return any(f"_{part}_" in f"_{name}_" for part in parts)
