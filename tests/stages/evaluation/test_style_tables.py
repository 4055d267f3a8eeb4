"""The tables of tables.md about style."""

import pytest

from stages.evaluation.page import GROUPS, page
from stages.evaluation.style_tables import style_tables
from tests.stages.evaluation.talkers import CALM, COMPARED, LIVELY, talk

STYLE = COMPARED.score_own_style("calm", CALM.truth, {"lively": talk(1.5, 1, 8)})


def test_the_motion_in_a_lent_style_stands_between_the_own_style_and_its_owner_at_another_time():
    rows = style_tables(STYLE)["style_distances"]
    assert list(rows) == [
        "generated", "other time", "as lively", "own style, from lively", "lively, other time"
    ]  # fmt: skip
    assert rows["generated"] == {"sld": 0, "slv": 0, "smd": 0}
    assert rows["as lively"]["sld"] < rows["own style, from lively"]["sld"]


def test_chance_is_a_row_of_the_identified_pieces():
    rows = style_tables(STYLE)["style_identity"]
    assert list(rows) == ["truth", "as_lively", "generated", "chance"]
    assert rows["chance"] == {"share": 0.5}


def test_the_gap_has_rows_for_all_descriptors_for_sld_and_for_each():
    rows = style_tables(STYLE)["style_gap"]
    assert rows["all"]["closed"] == pytest.approx(STYLE["gap_closed"])
    assert rows["SLD"] == {"closed": STYLE["gap_closed_sld"]}
    assert rows["opening"]["gap"] > 1
    assert style_tables(COMPARED.score_own_style("lively", LIVELY.truth, {}))["style_gap"] == {}


def test_every_table_of_style_is_on_the_page():
    style = next(group for group in GROUPS if group.title == "Style")
    assert {table.key for table in style.tables} == set(style_tables(STYLE))
    counts = {"frames": 1, "frames_of_new_scenes": 0, "gain_psnr_face": 1.0, "motion_frames": 1}
    scores = counts | {"render": {"mouth_correlation": 0.5}, "style": STYLE}
    text = page("held-out", "face", {"ann": scores}, {})
    assert text.count("### Style") == 1
    assert all(table.text in text for table in style.tables)
    assert "sld ↓" in text
    assert "share ↑" in text
