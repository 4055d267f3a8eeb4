"""Expected seconds of each stage, measured on one machine: see stage_seconds.yaml.

Estimates only: no result depends on them.
"""

from pathlib import Path
from typing import Any

from stages.base.config.params import read_params

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
            value = value[part]
        names += [f"{stage}@{key}" for key in value]
    return names


def seconds(instance: str) -> float:
    """Return the measured seconds of a stage on the reference machine."""
    return SECONDS.get(instance.partition("@")[0], 10.0)


def expectation(slower: float | None = None) -> str:
    """Describe how long the whole DAG takes with the subjects of params.yaml.

    Args:
        slower: this machine's seconds over the reference machine's; None describes the latter.
    """
    total = sum(seconds(name) for name in instances(read_params(Path("dvc.yaml")), read_params()))
    where = "on 2 cores" if slower is None else "here"
    minutes = total / 60 * (slower or 1.0)
    return f"about {minutes:.0f} min for the laptop preset {where}, more for long videos"
