"""List the people of the population in each folder that the trainings of speech and motion read.

    python -m stages population

Writes data/KIND/population/people.txt, one name a line. DVC wants a folder that a stage depends on
to exist, and a project may have no population.
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.atomic_files import write_atomic
from stages.base.config.params import population_subjects
from stages.base.config.paths import DATA

KINDS = ("clips", "landmarks", "speech", "features", "references")
LIST = "people.txt"


def run(names: Sequence[str], data: Path = DATA) -> None:
    """Write the list of names into the population's folder of each kind."""
    for kind in KINDS:
        write_atomic(data / kind / "population" / LIST, "".join(f"{name}\n" for name in names))


def main() -> None:
    """List the population of params.yaml."""
    run(population_subjects())
