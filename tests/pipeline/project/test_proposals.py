"""What `idiolect doctor` proposes for a machine."""

import pytest

from pipeline.project.doctor import proposals
from pipeline.project.presets import presets


@pytest.mark.parametrize(
    ("memory", "preset"), [(12.0, "gpu"), (25.4, "gpu-512"), (85.0, "paper"), (8.0, "")]
)
def test_a_gpu_gets_the_largest_preset_that_it_can_hold(memory: float, preset: str) -> None:
    lines = proposals(memory, ["avx512f"])
    assert [preset] == ([line.split()[3].rstrip("`;") for line in lines] or [""])
    assert not preset or preset in presets()


def test_a_cpu_with_amx_gets_bf16() -> None:
    assert proposals(0.0, ["avx512f"]) == []
    (line,) = proposals(0.0, ["avx512f", "amx_bf16"])
    assert "training.precision: bf16" in line
