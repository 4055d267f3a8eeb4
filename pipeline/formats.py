"""Every table of the pipeline, column by column: the source of docs/formats.md.

A `Format` names its columns with dtype, shape, unit and meaning; `pipeline.tables` writes, reads
and validates by it; `python -m pipeline.formats_page` writes the page.

Coordinates. Pixels are continuous: 0 is the left (top) edge of the first pixel, `size` the right
(bottom) edge of the last, so that scaling an image scales its coordinates. Three-dimensional
points follow `x = K (R X + t)` with column vectors: X in the head's own frame (x to the image's
right, y down, z away from the camera; the mean face's distance from nasion, point 27, to chin,
point 8, is 1 "face height"), R and t the pose, K the clip's pin-hole camera with one focal length
and the principal point at the centre of the stored image.
"""

from dataclasses import dataclass

TEMPLATES = ("None", "M", "R", "O")
REGIONS = ("mouth", "eyes", "skin", "other")

# Label maps hold these codes. What is nobody's region is "other".
LABELS = (
    "background",
    "skin",
    "nose",
    "brows",
    "eyes",
    "mouth",
    "ears",
    "neck",
    "hair",
    "body",
    "glasses",
)


@dataclass(frozen=True)
class Column:
    """One column: arrow type, shape of a cell, unit and meaning."""

    name: str
    type: str
    text: str
    unit: str = ""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Format:
    """One kind of table: where its files lie, what a row is, and the columns in order."""

    name: str
    where: str
    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in file order."""
        return tuple(column.name for column in self.columns)


_FRAME = Column("frame", "int32", "index in the clip; time is frame / fps", "frames")
_CLIP = Column("clip", "string", "clip id: the video's file name without suffix, '-', shot number")

LEDGER = Format(
    "ledger",
    "data/clips/ROLE/S/clips.parquet",
    "one clip, or one video (or shot) that gave none; the subject's in = ok + rejected + failed",
    (
        Column(
            "video",
            "string",
            r"file name inside data/raw/S on one line: \n, \\, \xe9 for a byte that is no UTF-8",
        ),
        Column("sha256", "string", "of the video's bytes"),
        Column(
            "clip",
            "string",
            "clip id: file name without suffix, '-', shot number of 3 digits; a name too long "
            "or unsafe for a folder is cut, has _ for what is unsafe, and 8 digits of its hash",
        ),
        Column("status", "string", "ok | rejected | failed"),
        Column("reason", "string", "why not ok: expected and found; empty for ok"),
        Column("start", "float64", "where the clip begins in the video", "s"),
        Column("end", "float64", "where it ends", "s"),
        Column("fps", "float64", "frames a second of the clip", "1/s"),
        Column("frames", "int32", "frames in the clip, 0 unless ok", "frames"),
        Column("size", "int32", "width and height of the stored frames", "px"),
        Column("source_width", "int32", "of the video, after its rotation flag", "px"),
        Column("source_height", "int32", "of the video, after its rotation flag", "px"),
        Column("source_fps", "float64", "mean rate of the video", "1/s"),
        Column("window", "float32", "x, y and side of the crop window in the video", "px", (3,)),
        Column("face_height", "float32", "median height of the found face in the video", "px"),
        Column(
            "missing", "float32", "share of sampled frames (every 0.2 s) without the followed face"
        ),
        Column("others", "float32", "share of sampled frames that show another face as well"),
        Column(
            "lips_lead",
            "float32",
            "how often more the followed lips move than the liveliest others'; NaN unless "
            "another's were measured too in most samples, and move",
        ),
        Column("loudness", "float32", "RMS of the audio, full scale is 0", "dB"),
        Column(
            "sharpness",
            "float32",
            "variance of the Laplacian of luminance over the face at 128 px; this and the next "
            "six: median over frames every 0.6 s",
            "grey levels squared",
        ),
        Column("exposure", "float32", "median luminance of the face, 0 to 255", "grey levels"),
        Column(
            "clipped", "float32", "share of the face's pixels that are black or white (≤ 5, ≥ 250)"
        ),
        Column(
            "head_angle",
            "float32",
            "between the face's forward axis and the camera's, turned or nodded",
            "degrees",
        ),
        Column(
            "occlusion",
            "float32",
            "share of the face's skin that departs in colour from most of it, or is far darker",
        ),
        Column(
            "confidence",
            "float32",
            "of the face detector, 0 to 1; falls where something of any colour covers features",
        ),
        Column(
            "hand",
            "float32",
            "share of the lips that hands cover; hands are looked for where `confidence` is < 0.9",
        ),
        Column(
            "train", "int32", "first frame and end (exclusive) of the training span", "frames", (2,)
        ),
        Column(
            "test", "int32", "first frame and end (exclusive) of the held-out span", "frames", (2,)
        ),
    ),
)

FRAMES = Format(
    "frames",
    "data/clips/ROLE/S/CLIP/frames.parquet",
    "one frame of a clip; row groups of one second",
    (
        _FRAME,
        Column("time", "float64", "presentation time of the source frame shown", "s"),
        Column("jpeg", "binary", "the frame, size × size, JPEG"),
    ),
)

LANDMARKS = Format(
    "landmarks",
    "data/landmarks/ROLE/S/CLIP.parquet",
    "one frame of a clip, valid or not (NaN where there is no face)",
    (
        _FRAME,
        Column("valid", "bool", "a face was found and its pose fits"),
        Column("score", "float32", "the backend's confidence, 0 to 1"),
        Column(
            "points",
            "float32",
            "68 landmarks (dlib's order): x, y in the stored frame",
            "px",
            (68, 2),
        ),
        Column(
            "oval",
            "float32",
            "36 points around the face, clockwise from the forehead",
            "px",
            (36, 2),
        ),
        Column("irises", "float32", "centres of the irises, image left first", "px", (2, 2)),
        Column(
            "shoulders",
            "float32",
            "9 points along each shoulder, image left first, from the neck out",
            "px",
            (18, 2),
        ),
        Column("shoulders_valid", "bool", "the shoulder line was seen"),
        Column("box", "float32", "x, y, width, height around the 68 points", "px", (4,)),
        Column("rotation", "float32", "R of x = K (R X + t)", "", (3, 3)),
        Column("translation", "float32", "t of x = K (R X + t)", "face heights", (3,)),
        Column(
            "head",
            "float32",
            "the 68 landmarks as X of x = K (R X + t): without the pose",
            "face heights",
            (68, 3),
        ),
        Column(
            "reprojection", "float32", "RMS distance of the posed mean face to the points", "px"
        ),
        Column("sharpness", "float32", "variance of the Laplacian over the face at 128 px"),
        Column(
            "opening_eyes", "float32", "lid distance over lid width, image left first", "", (2,)
        ),
    ),
)

NEUTRAL = Format(
    "neutral",
    "data/neutral.parquet",
    "the neutral image's face, one row",
    (
        Column("size", "int32", "width and height of the image", "px"),
        Column("focal", "float32", "focal length; the principal point is size / 2", "px"),
        Column("points", "float32", "68 landmarks as seen", "px", (68, 2)),
        Column("head", "float32", "68 landmarks without the pose", "face heights", (68, 3)),
        Column("rotation", "float32", "R of x = K (R X + t)", "", (3, 3)),
        Column("translation", "float32", "t", "face heights", (3,)),
    ),
)

CAMERAS = Format(
    "cameras",
    "data/landmarks/ROLE/S/cameras.parquet",
    "one clip",
    (
        _CLIP,
        Column("focal", "float32", "focal length; the principal point is size / 2", "px"),
        Column("size", "int32", "width and height of the stored frames", "px"),
        Column("valid", "int32", "frames with a valid face", "frames"),
        Column("frames", "int32", "frames in the clip", "frames"),
    ),
)

PARSING = Format(
    "parsing",
    "data/parsing/ROLE/S/CLIP.parquet",
    "one frame of a clip",
    (
        _FRAME,
        Column("labels", "binary", "label map, size × size, one byte a pixel (see LABELS), PNG"),
        Column("areas", "float32", "share of the frame: mouth, eyes, skin, other", "", (4,)),
    ),
)

MEL = Format(
    "mel",
    "data/speech/ROLE/S/CLIP.parquet",
    "one audio frame; frame i starts at sample round(i · 16000 / (2 · fps)); two a video frame",
    (
        Column("step", "int32", "index of the audio frame", "1/(2·fps) s"),
        Column("mel", "float32", "80-band log-mel, 0 to 1", "", (80,)),
        Column("energy", "float32", "RMS of the window, full scale is 0", "dB"),
    ),
)

PHONES = Format(
    "phones",
    "data/speech/ROLE/S/phones.parquet",
    "one phone, in order of clip and time",
    (
        _CLIP,
        Column("start", "float64", "in the clip", "s"),
        Column("end", "float64", "in the clip", "s"),
        Column("phone", "string", "ARPAbet without stress; SIL for silence"),
        Column("syllable", "int32", "index of its syllable in the clip, -1 for none"),
        Column("kind", "string", "key motion of its syllable: None | M | R | O; empty for none"),
    ),
)

SYNC = Format(
    "sync",
    "data/speech/ROLE/S/sync.parquet",
    "one clip",
    (
        _CLIP,
        Column("status", "string", "ok | assumed | rejected: nothing learns lips from its sound"),
        Column("reason", "string", "why not ok: expected and found; empty for ok"),
        Column("late", "float64", "how late the audio is taken to be; NaN for rejected", "s"),
        Column("offset", "float64", "how late it was found to be; NaN where nothing is told", "s"),
        Column("correlation", "float32", "of predicted with seen mouth opening at that offset"),
        Column("seconds", "float32", "of lips and sound that the correlation rests on", "s"),
    ),
)

FEATURES = Format(
    "features",
    "data/features/ROLE/S/CLIP.parquet",
    "one audio frame, two a video frame",
    (
        Column("step", "int32", "index of the audio frame", "1/(2·fps) s"),
        Column("feature", "float32", "last layer of the APC network", "", (512,)),
        Column("phones", "float32", "how much of each ARPAbet phone sounds, 0 to 1", "", (39,)),
    ),
)

REFERENCES = Format(
    "references",
    "data/references/S/references.parquet",
    "one candidate of one key motion template, nearest first",
    (
        Column("template", "string", "None | M | R | O"),
        Column("rank", "int32", "0 is the nearest"),
        Column("chosen", "bool", "this candidate is the template's style reference image"),
        _CLIP,
        _FRAME,
        Column("distance", "float32", "L2 between person-normalised curve and template"),
        Column(
            "amplitude",
            "float32",
            "raw descriptors at the frame, in the order of the template's columns",
            "face heights, radians",
            (12,),
        ),
        Column("image", "binary", "the frame, size × size, JPEG as stored"),
    ),
)

MATCH = Format(
    "match",
    "data/match/S/CLIP.parquet",
    "one frame of a clip",
    (
        _FRAME,
        Column(
            "reference",
            "int32",
            "index among the four style reference images, in the order None, M, R, O; -1 for none",
        ),
        Column("distance", "float32", "cosine distance of the deep features"),
        Column(
            "transform",
            "float32",
            "2 × 3 similarity from the reference's pixels to the frame's, stored size",
            "px",
            (2, 3),
        ),
    ),
)

ISPS = Format(
    "isps",
    "data/isp/S/isps.parquet",
    "one Intermediate Style Pattern, in the order of the references",
    (
        Column("template", "string", "None | M | R | O"),
        Column("rank", "int32", "rank of the candidate that it was made from"),
        Column("chosen", "bool", "made from the style reference image"),
        _CLIP,
        _FRAME,
        Column("image", "binary", "the ISP, size of the style mapping, PNG"),
    ),
)

# Beside the ISPs and not in them: another judge, or a measure mended, retrains no generator.
ISP_SCORES = Format(
    "isp_scores",
    "reports/isp_scores/S.parquet",
    "one ISP of data/isp/S/isps.parquet, in its order; NaN where no face was found",
    (
        Column("template", "string", "None | M | R | O"),
        Column("rank", "int32", "rank of the candidate that it was made from"),
        Column("chosen", "bool", "made from the style reference image"),
        Column("identity_neutral", "float32", "cosine of dlib's descriptors: ISP, neutral image"),
        Column("identity_reference", "float32", "cosine of dlib's descriptors: ISP, its reference"),
        Column("pose_error", "float32", "angle between the heads of ISP and reference", "degrees"),
        Column("pose_unmoved", "float32", "the neutral image's own pose error", "degrees"),
        Column(
            "expression_error",
            "float32",
            "mean distance of the lips' landmarks to the reference's, both from their own rest",
            "face heights",
        ),
        Column(
            "expression_unmoved",
            "float32",
            "the neutral image's own expression error",
            "face heights",
        ),
        Column(
            "lips_moved",
            "float32",
            "mean distance of the lips' landmarks to the neutral image's own",
            "face heights",
        ),
    ),
)

MOTION = Format(
    "motion",
    "reports/videos/S/NAME.parquet",
    "one frame of a rendered video",
    (
        _FRAME,
        Column("head", "float32", "68 landmarks as X of x = K (R X + t)", "face heights", (68, 3)),
        Column("rotation", "float32", "R", "", (3, 3)),
        Column("translation", "float32", "t", "face heights", (3,)),
        Column(
            "points", "float32", "the 68 landmarks projected into the stored frame", "px", (68, 2)
        ),
        Column("irises", "float32", "centres of the irises", "px", (2, 2)),
        Column("shoulders", "float32", "shoulder points", "px", (18, 2)),
    ),
)

_HEIGHTS, _PERCENT = "face heights", "% of a face height"

SCORES = Format(
    "scores",
    "reports/evaluation/frames.parquet",
    "one held-out frame and one answer to it, in order of subject, answer and time",
    (
        Column("subject", "string", "whose frame"),
        _CLIP,
        _FRAME,
        Column(
            "answer",
            "string",
            "generator, isps_zeroed, isps_swapped, a trivial answer, or truth",
        ),
        Column("psnr", "float64", "of the whole frame; NaN for the truth", "dB"),
        Column("psnr_face", "float64", "of the face crop", "dB"),
        Column("ssim", "float64", "of the whole frame"),
        Column("ssim_face", "float64", "of the face crop"),
        *(
            Column(f"l1_{region}", "float64", f"to the truth in region {region}", "grey levels")
            for region in REGIONS
        ),
        *(
            Column(
                f"l1_match_{region}",
                "float64",
                f"to the aligned best reference I_m in region {region}; NaN without a match",
                "grey levels",
            )
            for region in REGIONS
            if region != "other"
        ),
    ),
)

VOICE_SCORES = Format(
    "voice_scores",
    "reports/evaluation/voice.parquet",
    "one held-out frame and what was made of its voice, in order of subject and time",
    (
        Column("subject", "string", "whose frame"),
        _CLIP,
        _FRAME,
        Column("opening", "float64", "true mouth opening, pose removed; NaN if no face", _HEIGHTS),
        Column("opening_made", "float64", "of the generated landmarks", _HEIGHTS),
        Column("opening_shown", "float64", "true mouth opening as the camera saw it", _HEIGHTS),
        Column(
            "opening_seen", "float64", "detected in the rendered video; NaN if no face", _HEIGHTS
        ),
        Column("lips", "float64", "LMD: generated to true lips, each from their mean", _PERCENT),
        Column("lips_at_rest", "float64", "LMD of the unmoved mean face", _PERCENT),
    ),
)

ALL = (
    LEDGER,
    FRAMES,
    LANDMARKS,
    CAMERAS,
    NEUTRAL,
    PARSING,
    MEL,
    PHONES,
    SYNC,
    FEATURES,
    REFERENCES,
    MATCH,
    ISPS,
    ISP_SCORES,
    MOTION,
    SCORES,
    VOICE_SCORES,
)
