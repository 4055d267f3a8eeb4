"""ISPs of incomplete references."""

from pathlib import Path

import pytest

from pipeline.runtime.user_errors import MissingInput
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.references.artifacts import REFERENCES
from stages.style_mapping import isp
from stages.style_mapping.params import IspParams


def test_missing_references_are_reported_before_any_output(workdir: Path) -> None:
    path = workdir / "data/references/seen/anna/references.parquet"
    path.parent.mkdir(parents=True)
    tables.write(path, REFERENCES, {name: [] for name in REFERENCES.names})
    with pytest.raises(MissingInput, match="no chosen reference for template None"):
        isp.run(Subject("seen", "anna"), IspParams(size=32))
    assert not (workdir / "data/isp").exists()
