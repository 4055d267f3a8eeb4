"""Estimates of a run name preset, device and load, and come from measured stages."""

import os
from pathlib import Path

import pytest

from pipeline.execution import stage_seconds
from pipeline.execution.console import format_duration
from pipeline.execution.stage_run import StageRun, State
from pipeline.project import estimates
from pipeline.project.presets import apply_preset
from stages.base.config.params import read_params


def test_the_reference_machine_is_named_where_nothing_was_measured(empty: Path) -> None:
    names = stage_seconds.instances(read_params(Path("dvc.yaml")), read_params())
    total = sum(map(stage_seconds.seconds, names)) / 60
    text = estimates.expectation()
    assert text.startswith(f"about {total:.0f} min for preset laptop on 2 CPU cores; more for l")
    text = estimates.expectation(2.0, "these 8 CPU cores")
    assert text.startswith(f"about {2 * total:.0f} min for preset laptop on these 8 CPU cores; ")


def test_a_preset_that_was_never_measured_has_no_minutes_of_its_own(empty: Path) -> None:
    for name in ("paper", "tiny"):
        apply_preset(name)
        text = estimates.expectation()
        assert text.startswith(f"not measured: preset {name}; preset laptop takes about ")
    apply_preset("laptop")
    lines = Path("params.yaml").read_text().replace("crf: 18", "crf: 19")
    Path("params.yaml").write_text(lines)
    assert estimates.expectation().startswith("not measured: params of your own; preset laptop")


def test_what_this_project_has_measured_counts(empty: Path) -> None:
    apply_preset("tiny")
    names = stage_seconds.instances(read_params(Path("dvc.yaml")), read_params())
    runs = [StageRun(name, frozenset(), False, (), State.RAN, seconds=3.0) for name in names]
    runs[0].state, before = State.RESTORED, len(names)
    estimates.record(runs)
    assert estimates.expectation().startswith("not measured: preset tiny")  # one is missing
    runs[0].state = State.RAN
    estimates.record(runs[:1])
    seconds = format_duration(3.0 * before)
    assert estimates.expectation().startswith(f"{seconds} for preset tiny, as measured here")
    apply_preset("laptop")
    assert "measured here" not in estimates.expectation()
    stage_seconds.MEASURED.write_text("{ torn")
    assert estimates.expectation().startswith("about ")


def test_the_load_is_named_on_a_busy_machine(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for load, named in ((0.0, False), (64.0, True)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert (f"; longer now: load {load:.1f} on " in estimates.expectation()) == named
