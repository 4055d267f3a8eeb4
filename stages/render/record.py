"""The record of a render: a YAML beside the video, from which the video can be made again.

render_recorded(request, Path("talk.mp4"))        # talk.mp4 and talk.yaml
record = Record.read(Path("talk.yaml"))
record.check()                                    # all inputs are as they were
render_recorded(record.request, Path("talk.mp4"))
"""

from dataclasses import replace
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.runtime.atomic_files import check_writable, write_atomic
from pipeline.runtime.item_store import file_hash
from pipeline.runtime.user_errors import BadFormat, Interrupted, MissingInput, UserError
from stages.base.config.params import PARAMS, Section, read_params, validate_section
from stages.render.request import Request

_SECTIONS = ("render", "speech")
_OF_PORTRAIT = ("portrait", "clips", "landmarks")


class Record(Section):
    """What a video was made of.

    Attributes:
        idiolect: the version that drew it.
        request: all that was asked; its seed is the one that was used.
        params: the sections of params.yaml that decide the video.
        sha256: of every input, by path: the user's files, models, ISPs and donors.
        video: sha256 of the video.
    """

    idiolect: str
    request: Request
    params: dict[str, dict[str, Any]]
    sha256: dict[str, str]
    video: str

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a record; raise MissingInput, BadFormat or UserError."""
        if not path.is_file():
            raise MissingInput(path, "no such file", "name the .yaml beside a rendered video")
        content = _load(path)
        if content is None:
            raise BadFormat(path, "is not a record of a render", "name the .yaml beside a video")
        return validate_section(str(path), content, cls)

    def check(self) -> None:
        """Raise UserError at the first input, or value of params.yaml, that has changed."""
        for name, expected in self.sha256.items():
            if not Path(name).is_file():
                raise MissingInput(name, "missing; the recorded video was made from it")
            if (found := file_hash(Path(name))) != expected:
                change = f"has changed since: sha256 {found[:12]}…, expected {expected[:12]}…"
                raise UserError(name, change, "restore it, or render without --again")
        now = _params(self.request)
        for section, values in self.params.items():
            for key in sorted(values.keys() | now[section].keys()):
                if (value := now[section].get(key)) != values.get(key):
                    item = f"{PARAMS}: {section}.{key}"
                    raise UserError(item, f"is {value}, expected {values.get(key)}", "set it back")


def render_recorded(request: Request, out: Path) -> int:
    """Write a video and its record beside it (.yaml); return the number of frames.

    Raises:
        Interrupted: by Ctrl-C; what is written of the video has no record.
        UserError: the record would overwrite a file that is no record, or an input is wrong.
    """
    place = out.with_suffix(".yaml")
    if place.exists() and _load(place) is None:
        found = "is not a record of a render, and would be overwritten by that of the video"
        raise UserError(place, found, "name another video")
    check_writable(place)
    seeded = replace(request.controls, seed=request.controls.own_seed())
    used = request.model_copy(update={"controls": seeded})
    results = {str(path): file_hash(path) for path in used.results()}
    try:
        frames = used.render(out)
    except Interrupted:
        place.unlink(missing_ok=True)  # of an earlier video in the place of this part of one
        raise
    record = Record(
        idiolect=version("idiolect"),
        request=used,
        params=_params(used),
        sha256={str(path): file_hash(path) for path in used.inputs()} | results,
        video=file_hash(out),
    )
    text = StringIO()
    YAML().dump(record.model_dump(mode="json", exclude_none=True), text)
    write_atomic(place, text.getvalue())
    return frames


def _params(request: Request) -> dict[str, dict[str, Any]]:
    content = read_params()
    names = _SECTIONS + (_OF_PORTRAIT if request.portrait is not None else ())
    return {name: content.get(name) or {} for name in names}


def _load(path: Path) -> dict[str, Any] | None:
    """Return the content of a record; None if the file is none."""
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text())
    except (OSError, UnicodeDecodeError, YAMLError):
        return None
    whole = isinstance(content, dict) and {"request", "sha256"} <= content.keys()
    return content if whole else None
