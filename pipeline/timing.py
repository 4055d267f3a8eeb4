"""How long stages take: seconds measured on one machine, for the time that remains.

`SECONDS` holds the laptop preset's demo (two sample subjects of 40 s) on 2 cores of an AMD
EPYC with AVX2 and without AVX-512, from `idiolect demo` (reports/seconds.json). Estimates only: no
result depends on them.
"""

from typing import Any

from pipeline.params import read

# One instance of each stage.
SECONDS = {
    "sample": 39.0,
    "neutral": 4.0,
    "neutral_landmarks": 2.0,
    "clips": 7.0,
    "landmarks": 10.0,
    "parsing": 9.0,
    "speech": 8.0,
    "train_audio": 47.0,
    "features": 3.0,
    "references": 4.0,
    "match": 4.0,
    "train_style_mapping": 268.0,
    "isp": 14.0,
    "train_motion": 69.0,
    "train_generator_base": 294.0,
    "train_generator": 83.0,
    "render": 22.0,
    "evaluate": 50.0,
}
# Where a stage's time follows the length of the videos, that of one sample subject.
SAMPLE_SECONDS = 40.0


def instances(dvc: dict[str, Any], params: dict[str, Any]) -> list[str]:
    """List the stages of dvc.yaml as DVC names them: `clips@NAME`, `train_audio`."""
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


def expectation() -> str:
    """Say how long the whole DAG takes on the reference machine with params.yaml as it is."""
    from pathlib import Path

    total = sum(seconds(name) for name in instances(read(Path("dvc.yaml")), read()))
    return f"about {total / 60:.0f} min for the laptop preset on 2 cores, more for long videos"
