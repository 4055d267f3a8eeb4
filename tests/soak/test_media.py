"""Every command gives a malformed file one line, within 2 GB and two minutes."""

from pathlib import Path

import pytest

from tests.soak.conftest import run_module

MEDIA = "tests.soak.media"


@pytest.mark.slow
def test_a_sample_of_malformed_files_gets_one_line_each(tmp_path: Path) -> None:
    assert "21 malformed files, 0 wrong" in run_module(MEDIA, str(tmp_path / "media"), "21", "0")


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_three_hundred_malformed_files_get_one_line_each(tmp_path: Path) -> None:
    print(run_module(MEDIA, str(tmp_path / "media"), "300", "1"))
