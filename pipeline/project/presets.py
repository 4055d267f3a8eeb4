"""Presets, and edits of params.yaml that keep its comments."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.project import yaml_edit
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import PARAMS, Subjects, read_params, validate_section

_ONLY_IN_SOME = ("learned",)  # sections that the preset laptop leaves out
PRESETS = Path(__file__).resolve().parents[2] / "presets"


@contextmanager
def edit_params(path: Path = PARAMS) -> Iterator[Any]:
    """Yield params.yaml as a mapping; write the lines that changed when the block succeeds.

    Raises:
        BadParams: the subjects of params.yaml are not valid, or the edited text would be no YAML.
    """
    params = read_params(path)
    validate_section("subjects", params.get("subjects"), Subjects)
    written = path.read_bytes().decode()
    content = yaml_edit.round_trip().load(written)
    before = yaml_edit.dump(content)
    yield content
    yaml_edit.close_empty(content)
    after = yaml_edit.dump(content)
    if after != before:
        if yaml_edit.safe_load(after) is None:
            raise BadParams(
                path, "cannot be edited: its comments would break it", "edit it by hand"
            )
        edited = yaml_edit.keep_lines(written, before, after)
        same = yaml_edit.safe_load(edited) == yaml_edit.safe_load(after)
        write_atomic(path, edited if same else after)


def sample_subjects(params: dict[str, Any]) -> dict[str, Any]:
    """Return the sample subjects of params; raise BadParams if the section is missing."""
    sample = params.get("sample")
    subjects = sample.get("subjects") if isinstance(sample, dict) else None
    if not isinstance(subjects, dict):
        raise BadParams("sample.subjects", "missing", "write `sample: {subjects: {}}`")
    return subjects


def with_roles(subjects: Any) -> Any:
    """Return the section with the keys that a params.yaml without a population lacks."""
    everyone = {name: str(entry["role"]) for name, entry in subjects["all"].items()}
    subjects.setdefault("pictured", {n: flow_mapping({"role": r}) for n, r in everyone.items()})
    subjects.setdefault("population", [])
    return subjects


def flow_mapping(mapping: dict[str, str]) -> Any:
    """Return a mapping that is written on one line."""
    from ruamel.yaml.comments import CommentedMap

    flow = CommentedMap(mapping)
    flow.fa.set_flow_style()
    return flow


def presets() -> list[str]:
    """List the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """Read a preset; presets other than laptop hold only the values that differ from laptop's."""
    return _read_preset(name, read_params)


def _read_preset(name: str, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    if name not in presets():
        raise BadParams(name, f"no such preset; known: {', '.join(presets())}")
    values = read(PRESETS / f"{name}.yaml")
    return values if name == "laptop" else _merge(_read_preset("laptop", read), values)


def missing_keys(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return each key that the preset laptop has and params do not, with its value.

    Keys are dotted; a section that params lack is one key. Subjects are left out.
    """
    missing: dict[str, Any] = {}

    def visit(prefix: str, known: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        for key, value in known.items():
            if key not in found:
                missing[prefix + key] = value
            elif isinstance(value, dict) and isinstance(found[key], Mapping) and key != "subjects":
                visit(f"{prefix}{key}.", value, found[key])

    laptop = read_preset("laptop")
    visit("", {key: value for key, value in laptop.items() if key != "subjects"}, params)
    return missing


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings at all levels; raise BadParams for a key that the base does not have."""
    merged = dict(base)
    for key, value in over.items():
        if key not in base and key not in _ONLY_IN_SOME:
            raise BadParams(key, "not in the laptop preset")
        nested = isinstance(value, dict) and key in base
        merged[key] = _merge(base[key], value) if nested else value
    return merged


def apply_preset(name: str) -> None:
    """Write a preset's values into params.yaml; the subjects and the transfers stay."""
    values = _read_preset(name, lambda path: yaml_edit.round_trip().load(path.read_text()))
    with edit_params() as content:
        with_roles(content["subjects"])
        values["sample"]["subjects"] = sample_subjects(content)
        values["transfers"] = content.get("transfers", {})
        for section, value in values.items():
            _update(content, section, value)


def _update(content: Any, key: str, value: Any) -> None:
    """Set a key to a value; equal entries at any level keep their comments."""
    if isinstance(value, dict) and isinstance(content.get(key), dict):
        for inner in [k for k in content[key] if k not in value]:
            del content[key][inner]
        for inner, entry in value.items():
            _update(content[key], inner, entry)
    elif key not in content or content[key] != value:
        content[key] = value
