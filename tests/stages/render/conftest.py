"""A small project to render in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.stages.render.project import write_project


@pytest.fixture
def project(workdir: Path) -> Iterator[Path]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    write_project()
    yield workdir
    torch.set_num_threads(before)
