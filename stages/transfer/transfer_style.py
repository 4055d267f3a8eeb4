"""Fine-tune the motion model to one style.

    python -m stages transfer_style seen/sample_lively     # laptop preset: 20 s on 2 cores

Reads the motion model, the seen people's training spans, and the references of the style's owner;
writes models/motion_NAME.safetensors, a whole motion model, and curves of L_mg, L_sc and L_r to
reports/training/transfer_style/NAME. Method: section "Style transfer" of docs/method.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.paths import DATA
from stages.base.config.subjects import Subject, training_subjects
from stages.base.training.checkpoint import fingerprint
from stages.base.training.loop import cosine, train
from stages.motion.lending import lend_style
from stages.motion.model import MODEL, MotionModel
from stages.motion.params import frames_in
from stages.motion.person import LIDS, MotionPerson
from stages.motion.recordings import Recording, read_recordings
from stages.motion.style_references import ReferenceFrame, read_candidates, window_rows
from stages.references.person import style_clips
from stages.transfer.artifacts import model_path
from stages.transfer.params import TransferParams, Transfers
from stages.transfer.style_features import PERCENT
from stages.transfer.task import TransferTask
from stages.transfer.voices import VoiceRecording, Voices, read_voice

NAME = "transfer_style"
_EMA = 0.99
_LARGEST_GRADIENT = 1.0  # norm


def run(
    owner: Subject,
    subjects: Sequence[Subject],
    params: TransferParams,
    training: Training,
    data: Path = DATA,
) -> MotionModel:
    """Fine-tune the motion model to a subject's style and write it as the style's model.

    Args:
        owner: whose style it is; an unseen owner is known by the first halves of the clips.
        subjects: the seen subjects, whose voices are trained on.
        params: section `transfer`.
        training: section `training`.
        data: folder of the project's data.

    Raises:
        NotTrained: the motion model does not know a seen subject.
        MissingInput: an artifact is missing, or no reference shows a face.
    """
    model = MotionModel.load()
    if owner.role == "unseen":
        model = lend_style(model, owner, data)
    person, extra = model.person(owner.name), model.params.mouth.look_ahead_s
    recordings = {s.name: read_recordings(s, extra, data) for s in subjects}
    if owner.role == "unseen":
        recordings[owner.name] = read_recordings(owner, extra, data, style_clips(owner, data))
    shown = reference_motion(person, recordings[owner.name], read_candidates(owner, data))
    tuned = fine_tune(
        model,
        owner.name,
        recordings,
        shown,
        params,
        training,
        f"{NAME}/{owner.name}",
        _files([*subjects, owner], data),
    )
    tuned.save(model_path(owner.name))
    return tuned


def fine_tune(
    model: MotionModel,
    owner: str,
    recordings: Mapping[str, Sequence[Recording]],
    shown: Tensor,
    params: TransferParams,
    training: Training,
    name: str,
    files: Sequence[Path] = (),
) -> MotionModel:
    """Return the model with its mouth network and one style vector fine-tuned.

    Args:
        model: knows the owner and all whose voices are given.
        owner: of the style.
        recordings: by person, to learn from.
        shown: φ_s, motion of the owner's references, (M, 68, 3), % of a face height.
        params: section `transfer`.
        training: section `training`.
        name: of the curves and checkpoints.
        files: what all was read from.
    """
    ahead = frames_in(model.params.mouth.look_ahead_s, model.fps)
    length = frames_in(model.params.window_s, model.fps)
    voices: list[VoiceRecording] = [
        read_voice(model, person, owner, recording, length, ahead)
        for person, own in recordings.items()
        for recording in own
    ]
    torch.manual_seed(training.seed)
    place = list(model.people).index(owner)
    task = TransferTask(params, model, Voices(place, voices, length, ahead), shown)
    weights = train(
        task,
        name=name,
        steps=params.steps,
        training=training,
        inputs=fingerprint(
            NAME, files, transfer=params.model_dump(), people=list(recordings), owner=owner
        ),
        ema=_EMA,
        clip=_LARGEST_GRADIENT,
        schedule=cosine(params.steps, warmup=min(20, params.steps // 10), floor=0.05),
    )
    task.mouth.load_state_dict(weights["mouth"])
    styles = model.styles.clone()
    styles[place] = weights["vector"]["weight"][0]
    return replace(model, mouth=task.mouth.eval(), styles=styles)


def reference_motion(
    person: MotionPerson, recordings: Sequence[Recording], candidates: Sequence[ReferenceFrame]
) -> Tensor:
    """Return φ_s: displacements around all reference candidates, (M, 68, 3), % of a face height.

    Lids are left out (0): blinks are sampled, not generated. A frame in two windows counts once.

    Raises:
        MissingInput: no candidate lies in the recordings with its face.
    """
    heads = []
    for recording in recordings:
        found = (window_rows(recording, candidate) for candidate in candidates)
        rows = [each for each in found if each is not None]
        if rows:
            heads.append(recording.head[np.unique(np.concatenate(rows))])
    if not heads:
        todo = f"add videos: `idiolect add VIDEO… --subject {person.name}`"
        raise MissingInput(person.name, "no reference shows a face", todo)
    moved = PERCENT * (np.concatenate(heads) - person.mean_face)
    moved[:, list(LIDS)] = 0.0
    return torch.from_numpy(moved).float()


def _files(subjects: Sequence[Subject], data: Path) -> list[Path]:
    """List the model and the tables that the training reads."""
    files = {MODEL}
    for subject in subjects:
        files.add(data / "clips" / str(subject) / "clips.parquet")
        files.add(data / "speech" / str(subject) / "sync.parquet")
        for kind in ("landmarks", "features", "references"):
            files |= set((data / kind / str(subject)).glob("*.parquet"))
    return sorted(files)


def main(subject: str) -> None:
    """Fine-tune to the style of the subject that the command line names."""
    owner, owners = Subject.parse(subject), read_section("transfers", Transfers).owners()
    if owner not in owners:
        known = ", ".join(map(str, owners)) or "nobody"
        raise BadParams(owner, f"not in `transfers` of params.yaml, which has {known}")
    run(
        owner,
        training_subjects(seen_subjects(), DATA / "features/seen"),
        read_section("transfer", TransferParams),
        read_section("training", Training),
    )
