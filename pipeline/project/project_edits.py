"""Change the project as a user asks: add and remove subjects, choose a preset, set the neutral.

Only params.yaml, data/raw, data/portrait and what was made from a removed subject are touched; the
user's own files are read and copied, never moved or changed.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from pipeline.project.recorded_hashes import first_uncached
from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import BadParams, MissingInput, UserError
from stages.base.config.params import PARAMS, Subjects, read_params, read_section, validate_section
from stages.base.config.subjects import ROLES, check_name

RAW = Path("data/raw")
PORTRAIT = Path("data/portrait/neutral.png")
_PORTRAIT_SIZE = 512  # px; a smaller crop keeps its own size
PRESETS = Path(__file__).resolve().parents[2] / "presets"
_BY_ROLE = ("clips", "landmarks", "parsing", "speech", "features")
_BY_NAME = ("references", "match", "isp")


@dataclass(frozen=True)
class Added:
    """What `add` did: copied files, those that were there, warnings, and subjects that left."""

    copied: list[Path]
    present: list[Path]
    warnings: list[str]
    left: list[str]


@contextmanager
def edited(path: Path = PARAMS) -> Iterator[Any]:
    """Yield params.yaml as a mapping that keeps its comments; write it whole afterwards."""
    from ruamel.yaml import YAML

    whole = read_params(path)  # tells a user what is wrong with it before anything is changed
    validate_section("subjects", whole.get("subjects"), Subjects)
    _sample_subjects(whole)
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text())
    yield content
    text = StringIO()
    yaml.dump(content, text)
    with atomic_file(path) as part:
        part.write_text(text.getvalue())


def add(videos: list[Path], name: str, *, role: str = "seen", keep_sample: bool = False) -> Added:
    """Copy videos to data/raw/NAME, track them with DVC and put the subject into params.yaml.

    Args:
        videos: files, or folders whose files are taken.
        name: the subject; new, or one that gets more videos.
        role: seen (trained on) or unseen (held out as a whole).
        keep_sample: leave the sample subjects in.

    Raises:
        MissingInput: a path that is not there.
        BadParams: a name that is none, a sample's, or one with the other role.
        UserError: another video of the same file name is there already.

    """
    check_name(name)
    params = read_params()
    people = validate_section("subjects", params.get("subjects"), Subjects)
    samples = _sample_subjects(params)
    if name in {*samples, *_load_preset("laptop")["sample"]["subjects"]}:
        raise BadParams(name, "is a sample subject", "choose another name")
    known = people.all.get(name)
    if known and known.role != role:
        found = f"is {known.role} already"
        raise BadParams(name, found, f"run `idiolect remove {name}` first to make it {role}")
    files = _files(videos)
    warnings = [f"{path}: is no file of this folder itself; not added" for path in _left(videos)]
    warnings += [warning for file in files if (warning := _warning(file))]
    _remember(name, params)
    copied, present = _copy(files, RAW / name)
    try:
        _dvc("add", str(RAW / name))
    except UserError:
        for path in copied:
            path.unlink()
        raise
    left = samples if role == "seen" and not keep_sample else []
    with edited() as content:
        content["subjects"]["all"][name] = _flow({"role": role})
        if role == "seen" and name not in content["subjects"]["seen"]:
            content["subjects"]["seen"].append(name)
        for sample in left:
            _forget(content, sample)
    for sample in left:
        delete_made(sample)
    return Added(copied, present, warnings, left)


def remove(name: str) -> list[Path]:
    """Take a subject out of params.yaml and delete what was made from it; keep its videos.

    Returns:
        What was deleted. DVC's cache still has it: adding the subject again restores it.

    Raises:
        BadParams: no such subject, and nothing was made from one of this name.

    """
    check_name(name)
    people = read_section("subjects", Subjects)
    known = name in people.all
    if not known and not any(path.exists() for path in _made_from(name)):
        names = ", ".join(people.all)
        raise BadParams(name, "no such subject", f"there are: {names}")
    check_results_are_saved(name)
    with edited() as content:
        _forget(content, name)
    return delete_made(name)


@dataclass(frozen=True)
class Portrait:
    """A picture as `set_neutral` cut it: height of its face and side of the crop, in its pixels."""

    face: float
    side: int


def set_neutral(image: Path) -> Portrait:
    """Make a user's picture the neutral image: cut it as clips are, and track it with DVC.

    Args:
        image: any picture that OpenCV reads; it is only read.

    Raises:
        MissingInput: no such file.
        UserError: a folder, no picture, not exactly one face in it, or one smaller than
            `clips.min_face`.
    """
    from stages.base.io.image_io import decode_jpeg, encode_png, read_image
    from stages.clips.detector import FaceFinder
    from stages.clips.params import ClipsParams
    from stages.clips.window import crop_window

    params = read_section("clips", ClipsParams)
    as_it_was = "the neutral image is as it was"
    if image.exists() and not image.is_file():
        kind = "folder" if image.is_dir() else "device or pipe"
        raise UserError(image, f"expected a picture, found a {kind}", as_it_was)
    if not image.is_file():
        raise MissingInput(image, "no such file", as_it_was)
    picture = read_image(image, decode_jpeg, as_it_was)
    boxes = FaceFinder()(picture)
    if len(boxes) != 1:
        found = f"expected one face, found {len(boxes) or 'none'}"
        raise UserError(image, found, "give a portrait of one person from the front")
    if boxes[0].side < params.min_face:
        found = f"the face is {boxes[0].side:.0f} px high (at least {params.min_face:g} px)"
        raise UserError(image, found, "give a larger picture")
    height, width = picture.shape[:2]
    crop = crop_window([boxes[0]], width, height, params.room)
    content = encode_png(crop.cut(picture, min(crop.side, _PORTRAIT_SIZE)))
    if not (PORTRAIT.is_file() and PORTRAIT.read_bytes() == content):
        _track(PORTRAIT, content)
    return Portrait(boxes[0].side, crop.side)


def _track(path: Path, content: bytes) -> None:
    """Write a file and give it to DVC; leave the one that was there where DVC cannot take it."""
    before = path.read_bytes() if path.is_file() else None
    with atomic_file(path) as part:
        part.write_bytes(content)
    try:
        _dvc("add", str(path))
    except UserError:
        path.unlink()
        if before is not None:
            path.write_bytes(before)
        raise


def check_portrait_is_saved() -> None:
    """Raise UserError where DVC's cache does not have the portrait, which would be lost."""
    if first_uncached([PORTRAIT]):
        found = "is not in DVC's cache and would be lost; nothing was changed"
        raise UserError(PORTRAIT, found, f"`dvc add {PORTRAIT}`, or move it away")


def sample_neutral() -> bool:
    """Go back to the sample's neutral face; return whether a portrait was set.

    Raises:
        UserError: DVC's cache does not have the portrait.
    """
    check_portrait_is_saved()
    there = [
        path for path in (PORTRAIT, PORTRAIT.with_name(f"{PORTRAIT.name}.dvc")) if path.exists()
    ]
    for path in there:
        path.unlink()
    return bool(there)


def no_one_seen() -> bool:
    """Tell whether there is no subject to train on."""
    return not read_section("subjects", Subjects).seen


def add_sample() -> list[str]:
    """Bring the sample subjects of the presets back; return their names."""
    subjects = _load_preset("laptop")["sample"]["subjects"]
    for name in subjects:
        if (RAW / f"{name}.dvc").exists():
            raise BadParams(name, "is a subject of yours", f"rename its folder and {name}.dvc")
    with edited() as content:
        for name, kind in subjects.items():
            content["sample"]["subjects"][name] = _flow(dict(kind))
            content["subjects"]["all"][name] = _flow({"role": "seen"})
            if name not in content["subjects"]["seen"]:
                content["subjects"]["seen"].append(name)
    return list(subjects)


def apply_preset(name: str) -> None:
    """Write a preset's numbers into params.yaml; the subjects stay.

    A preset other than laptop holds only what differs from laptop.
    """
    values = _load_preset("laptop")
    if name != "laptop":
        values = merged(values, _load_preset(name))
    with edited() as content:
        for section, entry in values.items():
            if section == "sample":
                content["sample"].update({k: v for k, v in entry.items() if k != "subjects"})
            else:
                _update(content, section, entry)


def presets() -> list[str]:
    """List the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay a mapping over another, section by section; raise BadParams for an unknown key."""
    result = dict(base)
    for key, value in over.items():
        if key not in base:
            raise BadParams(key, "not in the laptop preset")
        result[key] = merged(base[key], value) if isinstance(value, dict) else value
    return result


def _sample_subjects(params: dict[str, Any]) -> list[str]:
    sample = params.get("sample")
    subjects = sample.get("subjects") if isinstance(sample, dict) else None
    if not isinstance(subjects, dict):
        raise BadParams("sample.subjects", "missing", "write `sample: {subjects: {}}`")
    return list(subjects)


def _load_preset(name: str) -> dict[str, Any]:
    if name not in presets():
        raise BadParams(name, f"no such preset; there are: {', '.join(presets())}")
    return read_params(PRESETS / f"{name}.yaml")


def _update(content: Any, key: str, value: Any) -> None:
    if isinstance(value, dict) and isinstance(content.get(key), dict):
        for inner in [k for k in content[key] if k not in value]:
            del content[key][inner]
        for inner, entry in value.items():
            _update(content[key], inner, entry)
    elif key not in content or content[key] != value:
        content[key] = value


def _files(paths: list[Path]) -> list[Path]:
    from stages.clips.split import HELD_OUT

    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise MissingInput(path, "no such file", "nothing was added")
        if not path.is_dir() and not path.is_file():
            raise UserError(path, "expected a file, found a device or pipe", "nothing was added")
        inside = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        files += [file for file in inside if not file.name.startswith(".")]
    names = [file.name for file in files]
    for file in files:
        if file.name == HELD_OUT:
            raise UserError(
                file, "is no video, and a subject's own file has this name", "rename it"
            )
        if names.count(file.name) > 1:
            raise UserError(file, "two videos have this file name", "rename one of them")
    if not files:
        raise MissingInput(", ".join(map(str, paths)), "no file in there", "nothing was added")
    return files


def _left(paths: list[Path]) -> list[Path]:
    """List what folders hold beside visible files: folders, broken links, hidden files."""
    inside = (entry for path in paths if path.is_dir() for entry in sorted(path.iterdir()))
    return [entry for entry in inside if not entry.is_file() or entry.name.startswith(".")]


def _warning(file: Path) -> str:
    from stages.base.io.video_frames import read_facts

    try:
        read_facts(file)
    except UserError as problem:
        return str(problem)
    return ""


def _remember(name: str, params: dict[str, Any]) -> None:
    """Keep what is held out now held out, whatever the new videos are."""
    from stages.clips.params import ClipsParams
    from stages.clips.split import save_held_out

    if (RAW / name).is_dir():
        save_held_out(
            RAW / name,
            Path("data/clips/seen") / name,
            validate_section("clips", params["clips"], ClipsParams),
        )


def _copy(files: list[Path], folder: Path) -> tuple[list[Path], list[Path]]:
    copied, present = [], []
    for file in files:
        target = folder / file.name
        if not target.exists():
            continue
        if file_hash(target) != file_hash(file):
            raise UserError(file, f"another video is at {target} already", "rename the new one")
    for file in files:
        target = folder / file.name
        if target.exists():
            present.append(target)
            continue
        with atomic_file(target) as part:
            shutil.copyfile(file, part)
        copied.append(target)
    return copied, present


def _forget(content: Any, name: str) -> None:
    content["subjects"]["all"].pop(name, None)
    content["sample"]["subjects"].pop(name, None)
    if name in content["subjects"]["seen"]:
        content["subjects"]["seen"].remove(name)


def _made_from(name: str) -> list[Path]:
    data, reports = Path("data"), Path("reports")
    return [
        *(data / kind / role / name for kind in _BY_ROLE for role in ROLES),
        *(data / kind / name for kind in _BY_NAME),
        reports / "sheets" / f"{name}.png",
        reports / "references" / f"{name}.png",
        *(reports / "isp" / f"{name}.{kind}" for kind in ("png", "json")),
        reports / "isp_scores" / f"{name}.parquet",
        reports / "videos" / f"{name}.mp4",
        reports / "videos" / name,
    ]


def check_results_are_saved(name: str) -> None:
    """Raise UserError unless a subject's results can be made again or are in DVC's cache."""
    videos = RAW / name
    samples = _load_preset("laptop")["sample"]["subjects"]
    if name in samples or any(path.is_file() for path in videos.rglob("*")):
        return
    if lost := first_uncached(path for path in _made_from(name) if path.exists()):
        found = f"is not in DVC's cache, nor {videos} here to make it again; nothing was changed"
        raise UserError(lost, found, f"`dvc checkout {videos}`, or move it away")


def delete_made(name: str) -> list[Path]:
    """Delete what stages made from a subject, so that no training reads it.

    Raises:
        UserError: it could not be restored.
    """
    check_results_are_saved(name)
    there = [path for path in _made_from(name) if path.exists()]
    for path in there:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return there


def _flow(mapping: dict[str, str]) -> Any:
    from ruamel.yaml.comments import CommentedMap

    flow = CommentedMap(mapping)
    flow.fa.set_flow_style()
    return flow


def _dvc(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise UserError(f"dvc {arguments[0]}", "failed: " + " ".join(last))
