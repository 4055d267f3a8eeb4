"""A photograph of one person (NASA, public domain), and params."""

import pytest

from stages.portrait.picture import Portrait
from tests.stages.portrait.pictures import read_astronaut


@pytest.fixture(scope="session")
def astronaut() -> Portrait:
    return read_astronaut()
