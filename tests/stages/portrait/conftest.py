"""A photograph of one person (NASA, public domain), and params."""

from collections.abc import Iterator

import pytest
import torch

from stages.portrait.picture import Portrait
from tests.stages.portrait.pictures import read_astronaut


@pytest.fixture(scope="session")
def astronaut() -> Portrait:
    return read_astronaut()


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
