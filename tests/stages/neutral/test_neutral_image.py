"""The stage `neutral`, and the default face that it copies."""

from pathlib import Path

import numpy as np
import pytest

from stages.base.config.code_version import closure
from stages.base.io.image_io import read_image
from stages.neutral import neutral


def test_without_a_portrait_the_default_face_is_copied_byte_for_byte(workdir: Path) -> None:
    neutral.main()
    assert neutral.OUT.read_bytes() == neutral.DEFAULT.read_bytes()
    assert read_image(neutral.OUT).shape == (512, 512, 3)


def test_a_portrait_is_copied_byte_for_byte(workdir: Path) -> None:
    neutral.PORTRAIT.parent.mkdir(parents=True)
    neutral.PORTRAIT.write_bytes(neutral.DEFAULT.read_bytes() + b"after the end")
    neutral.main()
    assert neutral.OUT.read_bytes() == neutral.PORTRAIT.read_bytes()


def test_no_code_that_draws_the_sample_makes_the_stage_stale() -> None:
    assert not [path for path in closure("stages.neutral.neutral") if path.parent.name == "sample"]


@pytest.mark.slow
def test_the_default_face_can_be_drawn_again() -> None:
    from stages.sample.neutral_face import draw

    apart = np.abs(draw().astype(int) - read_image(neutral.DEFAULT))
    assert apart.mean() < 0.1  # 0 on the CPU that drew it; others round the face mesh differently
