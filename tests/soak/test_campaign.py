"""Kills, full disks and flipped bits lose nothing, and the next run has the undisturbed result."""

from pathlib import Path

import pytest

from tests.soak.conftest import run_module

CAMPAIGN = "tests.soak.campaign"


@pytest.mark.slow
def test_a_killed_render_leaves_nothing_that_disturbs_the_next(tmp_path: Path) -> None:
    options = (f"--folder={tmp_path}/campaign", "--renders", "--kills=4", "--no-disks")
    printed = run_module(CAMPAIGN, *options)
    assert "| kill    | all     |         4 |      0 |" in printed
    again = run_module(CAMPAIGN, *options)
    assert again.splitlines()[-1] == printed.splitlines()[-1]


@pytest.mark.soak
@pytest.mark.timeout(5400)
def test_two_hundred_kills_full_disks_and_five_hundred_flipped_bits_lose_nothing() -> None:
    print(run_module(CAMPAIGN))
