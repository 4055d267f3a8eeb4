"""Expected seconds of each stage, measured on one machine.

`SECONDS` holds the laptop preset's demo (two sample subjects of 40 s) on 2 cores of an AMD
EPYC with AVX-512 and without AMX, from `idiolect demo` (reports/seconds.json). Estimates only: no
result depends on them.
"""

from pathlib import Path
from typing import Any

from stages.base.config.params import read_params

# One instance of each stage.
SECONDS = {
    "sample": 34.7,
    "neutral": 3.8,
    "neutral_landmarks": 1.6,
    "clips": 5.6,
    "landmarks": 7.9,
    "parsing": 6.9,
    "speech": 8.6,
    "sheet": 4.0,
    "train_audio": 58.0,
    "features": 2.8,
    "references": 3.2,
    "match": 3.7,
    "train_style_mapping": 253.3,
    "isp": 12.3,
    "train_motion": 80.5,
    "train_generator_base": 275.7,
    "train_generator": 75.3,
    "render": 19.1,
    "evaluate": 43.5,
}


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
