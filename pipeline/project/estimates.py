"""How long a run takes, from measured stages: those of this project, else of the reference machine.

Estimates only: no result depends on them.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.execution import stage_seconds
from pipeline.execution.console import format_duration
from pipeline.execution.stage_run import StageRun, State
from pipeline.project.presets import presets, read_preset
from pipeline.runtime.cpu_count import cpu_count
from stages.base.config.params import read_params

OWN = "params of your own"
_PEOPLE = ("subjects", "transfers")  # sections that a preset leaves as they are
_BUSY = 0.5  # share of the cores that other programs use, from which it is worth a word


def preset_name() -> str:
    """Return `preset NAME` of the preset that params.yaml has, people aside; else `OWN`."""
    present = _without_people(read_params())
    for name in ("laptop", *presets()):
        if _without_people(read_preset(name)) == present:
            return f"preset {name}"
    return OWN


def record(stages: Sequence[StageRun]) -> None:
    """Keep the seconds of the stages that ran, for later estimates in this project."""
    ran = {stage.name: stage.seconds for stage in stages if stage.state is State.RAN}
    if ran:
        stage_seconds.record(preset_name(), ran)


def _without_people(params: dict[str, object]) -> dict[str, object]:
    sections = {name: params[name] for name in params if name not in _PEOPLE}
    if isinstance(sample := sections.get("sample"), dict):
        sections["sample"] = {key: value for key, value in sample.items() if key != "subjects"}
    return sections


def expectation(slower: float = 1.0, device: str = "") -> str:
    """Describe how long the whole DAG takes with the subjects of params.yaml.

    Args:
        slower: this machine's seconds over the reference machine's.
        device: this machine's, where the caller has measured its speed.

    Returns:
        Preset, device, minutes and, on a busy machine, its load.
    """
    name, params = preset_name(), read_params()
    names = stage_seconds.instances(read_params(Path("dvc.yaml")), params)
    measured = stage_seconds.measured(name)
    own = [measured[stage] for stage in names if stage in measured]
    if len(own) == len(names):
        text = f"{format_duration(sum(own))} for {name}, as measured here"
    elif name == stage_seconds.PRESET:
        total = sum(own) + slower * sum(
            stage_seconds.seconds(stage) for stage in names if stage not in measured
        )
        where = device or stage_seconds.MACHINE
        mixed = f"; {len(own)} of {len(names)} stages measured here" if own else ""
        text = f"{format_duration(total)} for {name} on {where}{mixed}; more for long videos"
    else:
        known = sum(map(stage_seconds.seconds, names))
        text = (
            f"not measured: {name}; {stage_seconds.PRESET} takes {format_duration(known)} on "
            f"{stage_seconds.MACHINE}"
        )
    return text + _load()


def _load() -> str:
    """Return a word about other programs on a busy machine."""
    load, cores = os.getloadavg()[0], cpu_count()
    if load < _BUSY * cores:
        return ""
    return f"; longer now: load {load:.1f} on {cores} cores"
