"""Add people to the project and remove them: params.yaml, data/raw, and their results.

The user's own files are only read and copied.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project.copies import copy_videos, read_error
from pipeline.project.presets import (
    edit_params,
    flow_mapping,
    read_preset,
    sample_subjects,
    with_roles,
)
from pipeline.project.revision import dvc_add, first_uncached
from pipeline.runtime.user_errors import BadParams, MissingInput, UserError
from stages.base.config.params import (
    Subjects,
    check_name,
    read_params,
    read_section,
    validate_section,
)
from stages.base.config.paths import DATA, MODELS, REPORTS
from stages.base.config.subjects import ROLES

RAW = DATA / "raw"


@dataclass(frozen=True)
class Added:
    """Result of `add`.

    Attributes:
        copied: new files below data/raw.
        present: files that were there before.
        warnings: files that are no videos, cannot be read or still grow, and entries of folders
            that were not added.
        left: sample subjects that were removed.
    """

    copied: list[Path]
    present: list[Path]
    warnings: list[str]
    left: list[str]


def add(videos: list[Path], name: str, *, role: str = "seen", keep_sample: bool = False) -> Added:
    """Copy videos to data/raw/NAME, track them with DVC and put the subject into params.yaml.

    Args:
        videos: files, or folders whose files are added.
        name: of the subject; new, or one that gets more videos.
        role: seen (trained on), population (speech and motion are trained on it, no pictures are
            made) or unseen (held out as a whole).
        keep_sample: keep the sample subjects in the project.

    Raises:
        MissingInput: a path does not exist.
        BadParams: an invalid name, a sample's, or one with another role.
        UserError: no file is a video, all are still being written, or data/raw/NAME has another
            video of the same file name.
    """
    check_name(name)
    params = read_params()
    people = validate_section("subjects", params.get("subjects"), Subjects)
    samples = list(sample_subjects(params))
    if name in {*samples, *_preset_samples()}:
        raise BadParams(name, "is a sample subject", "choose another name")
    known = people.all.get(name)
    if known and known.role != role:
        found = f"is already {known.role}"
        raise BadParams(name, found, f"run `idiolect remove {name}` first to make it {role}")
    files, skipped = _list_files(videos)
    warnings = [f"{path}: is not a file of this folder itself; not added" for path in skipped]
    errors = [read_error(file) or _probe_error(file) for file in files]
    if all(errors):
        more = f" (and {len(errors) - 1} more files)" if len(errors) > 1 else ""
        raise UserError("no video", f"{errors[0]}{more}", "nothing was changed")
    warnings += filter(None, errors)
    _fix_held_out(name, params)
    copied, present, growing = copy_videos([f for f in files if not read_error(f)], RAW / name)
    warnings += growing
    try:
        dvc_add(RAW / name)
    except UserError:
        for path in copied:
            path.unlink()
        raise
    replaces = role == "seen" and not keep_sample
    left = samples if replaces else []
    with edit_params() as content:
        _list_subject(content, name, role)
        for sample in left:
            _unlist_subject(content, sample)
    unlisted = set(_preset_samples()) - set(samples)  # a killed run may have left their results
    for sample in [*left, *unlisted] if replaces else []:
        delete_results(sample)
    return Added(copied, present, warnings, left)


def remove(name: str) -> list[Path]:
    """Remove a subject from params.yaml and delete its results; keep its videos.

    Returns:
        What was deleted. If DVC's cache has it, adding the subject again restores it.

    Raises:
        BadParams: no such subject, and no results of one of this name.
        UserError: the results could neither be restored nor made again.

    """
    check_name(name)
    people = read_section("subjects", Subjects)
    if name not in people.all and not _results(name):
        raise BadParams(name, "no such subject", f"known: {', '.join(people.all)}")
    check_results_are_saved(name)
    with edit_params() as content:
        _unlist_subject(content, name)
    return delete_results(name)


def exclude_from_training(name: str) -> None:
    """Give a subject the role unseen in params.yaml; no model is fine-tuned to it either."""
    with edit_params() as content:
        kind = sample_subjects(content).get(name)
        _unlist_subject(content, name)
        _list_subject(content, name, "unseen")
        if kind is not None:
            sample_subjects(content)[name] = kind


def add_sample() -> list[str]:
    """Add the sample subjects of the presets again; return their names."""
    subjects = _preset_samples()
    for name in subjects:
        if (RAW / f"{name}.dvc").exists():
            raise BadParams(name, "is a subject of yours", f"rename its folder and {name}.dvc")
    with edit_params() as content:
        for name, kind in subjects.items():
            sample_subjects(content)[name] = flow_mapping(kind)
            _list_subject(content, name, "seen")
            content.setdefault("transfers", {})[name] = flow_mapping({"role": "seen"})
    return list(subjects)


def has_seen_subjects() -> bool:
    """Return whether there is a subject to train on."""
    return bool(read_section("subjects", Subjects).seen)


def check_results_are_saved(name: str) -> None:
    """Raise UserError unless a subject's results can be made again or are in DVC's cache."""
    videos = RAW / name
    if name in _preset_samples() or any(path.is_file() for path in videos.rglob("*")):
        return
    if lost := first_uncached(_results(name)):
        found = f"is not in DVC's cache, and {videos} is missing; nothing was changed"
        raise UserError(lost, found, f"`dvc checkout {videos}`, or move it away")


def delete_results(name: str) -> list[Path]:
    """Delete all results of a subject, so that no training reads them; return their paths.

    Raises:
        UserError: the results could neither be restored nor made again.
    """
    check_results_are_saved(name)
    present = _results(name)
    for path in present:
        is_link = path.is_symlink()  # of a user, to another disk: what it shows stays
        shutil.rmtree(path) if path.is_dir() and not is_link else path.unlink()
    return present


def _results(name: str) -> list[Path]:
    """List the results of a subject that exist."""
    by_role = ("clips", "landmarks", "parsing", "speech", "features", "references", "match", "isp")
    paths = [
        *(DATA / kind / role / name for kind in by_role for role in ROLES),
        DATA / "donors" / name,
        REPORTS / "sheets" / f"{name}.png",
        REPORTS / "references" / f"{name}.png",
        REPORTS / "donors" / f"{name}.png",
        *(REPORTS / "isp" / f"{name}.{kind}" for kind in ("png", "json")),
        REPORTS / "isp_scores" / f"{name}.parquet",
        REPORTS / "videos" / f"{name}.mp4",
        REPORTS / "videos" / name,
        MODELS / f"motion_{name}.safetensors",
        REPORTS / "training/transfer_style" / name,
    ]
    return [path for path in paths if path.exists()]


def _preset_samples() -> dict[str, Any]:
    return sample_subjects(read_preset("laptop"))


def _list_subject(content: Any, name: str, role: str) -> None:
    subjects = with_roles(content["subjects"])
    subjects["all"][name] = flow_mapping({"role": role})
    if role != "population":
        subjects["pictured"][name] = flow_mapping({"role": role})
    if role != "unseen" and name not in subjects[role]:
        subjects[role].append(name)


def _unlist_subject(content: Any, name: str) -> None:
    subjects = with_roles(content["subjects"])
    for key in ("all", "pictured"):
        subjects[key].pop(name, None)
    for key in ("seen", "population"):
        if name in subjects[key]:
            subjects[key].remove(name)
    sample_subjects(content).pop(name, None)
    content.get("transfers", {}).pop(name, None)


def _list_files(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files to add; and the folders, broken links and hidden files, which are not."""
    from stages.clips.split import HELD_OUT

    entries: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MissingInput(path, "no such file", "nothing was added")
        if not path.is_dir() and not path.is_file():
            raise UserError(path, "expected a file, found a device or pipe", "nothing was added")
        entries += sorted(path.iterdir()) if path.is_dir() else [path]
    files = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    names = [file.name for file in files]
    for file in files:
        if file.name == HELD_OUT:
            found = f"expected a video; {HELD_OUT} is reserved for the list of held-out clips"
            raise UserError(file, found, "remove or rename it")
        if names.count(file.name) > 1:
            raise UserError(file, "two videos have this file name", "rename one of them")
    if not files:
        folders = ", ".join(map(str, paths))
        raise MissingInput(folders, "no file in this folder", "nothing was added")
    return files, [entry for entry in entries if entry not in files]


def _probe_error(file: Path) -> str:
    """Return why a file cannot be read as a video; empty if it can."""
    from stages.base.io.video_frames import read_facts

    try:
        read_facts(file)
    except UserError as error:
        return str(error)
    except (OSError, ValueError, RuntimeError) as error:  # of a decoder; PyAV raises all three
        return f"{file.name}: cannot be decoded: {' '.join(str(error).split())}"
    return ""


def _fix_held_out(name: str, params: dict[str, Any]) -> None:
    """Record the present held-out clips, so that new videos do not move them into training."""
    from stages.clips.params import ClipsParams
    from stages.clips.split import save_held_out

    if (RAW / name).is_dir():
        clips = validate_section("clips", params["clips"], ClipsParams)
        save_held_out(RAW / name, DATA / "clips/seen" / name, clips)
