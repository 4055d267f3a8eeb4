"""Expected seconds of each stage, measured on one machine: see stage_seconds.yaml.

Estimates only: no result depends on them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.runtime.atomic_files import write_atomic
from stages.base.config.params import read_params

MEASURED = Path(".idiolect/seconds.json")
PRESET, MACHINE = "preset laptop", "2 CPU cores"  # of `SECONDS`
_MEASURED = TypeAdapter(dict[str, dict[str, float]])  # by preset, then by stage
SECONDS: dict[str, float] = read_params(Path(__file__).with_suffix(".yaml"))


def instances(dvc: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """Return the names of all stages of dvc.yaml in DVC: `clips@NAME`, `train_audio`."""
    names: list[str] = []
    for stage, entry in dvc["stages"].items():
        if "foreach" not in entry:
            names.append(stage)
            continue
        value: Any = params
        for part in entry["foreach"].removeprefix("${").removesuffix("}").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        names += [f"{stage}@{key}" for key in value or ()]
    return names


def seconds(instance: str) -> float:
    """Return the measured seconds of a stage on the reference machine."""
    return SECONDS.get(instance.partition("@")[0], 10.0)


def record(preset: str, seconds_of: Mapping[str, float]) -> None:
    """Keep the seconds that stages took in this project with a preset, by their names."""
    known = _read_measured()
    known[preset] = known.get(preset, {}) | {k: round(v, 1) for k, v in seconds_of.items()}
    write_atomic(MEASURED, _MEASURED.dump_json(known, indent=1))


def measured(preset: str) -> dict[str, float]:
    """Return the seconds of the stages that have run in this project with a preset."""
    return _read_measured().get(preset, {})


def _read_measured() -> dict[str, dict[str, float]]:
    try:
        return _MEASURED.validate_json(MEASURED.read_bytes())
    except (OSError, ValueError):  # none yet, or torn: estimates only
        return {}
