"""The stage on drawn people: donors of training frames alone, read back, and painted."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.user_errors import BadParams, MissingInput
from stages.base.config.params import validate_section
from stages.base.config.subjects import Subject
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.donors.artifacts import DONORS
from stages.donors.donors import draw_sheet, run, spread_rows
from stages.donors.library import read_donors
from stages.donors.painter import DonorPainter
from stages.donors.params import DonorParams
from stages.generator.driving import Driving
from stages.generator.footage import Footage, read_footage
from stages.generator.source_images import choose_sources
from tests.stages.generator.conftest import TRAIN, write_person

ANN = Subject("seen", "ann")
PARAMS = {"mouths": 8, "lids": 4, "open": 0.01, "closed": 0.8, "blur": 0.0, "few": 3}


@pytest.fixture
def footage(workdir: Path) -> Footage:
    write_person(Path("data"), "ann", (220, 160, 140), 1.0)
    return read_footage([ANN], 64)[0]


def settings(**changes: float) -> DonorParams:
    return DonorParams.model_validate(PARAMS | changes)


def test_donors_are_open_mouths_of_training_frames_alone(footage: Footage) -> None:
    run(ANN, settings())
    table = tables.read(Path("data/donors/ann/donors.parquet"), DONORS)
    assert set(table["part"]) == {"mouth"}  # the drawn person never blinks
    assert len(table["frame"]) == 8
    assert all(TRAIN[0] <= frame < TRAIN[1] and frame != 7 for frame in table["frame"])
    assert (mouth_opening(table["points"]) >= 0.01).all()
    assert Path("reports/donors/ann.png").stat().st_size > 1000


def test_the_same_inputs_give_the_same_bytes(footage: Footage) -> None:
    def digests() -> list[str]:
        run(ANN, settings())
        files = [Path("data/donors/ann/donors.parquet"), Path("reports/donors/ann.png")]
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]

    assert digests() == digests()


def test_a_frame_driven_by_its_own_shape_gets_its_own_mouth_back(footage: Footage) -> None:
    run(ANN, settings(mouths=40))
    library = read_donors("ann")
    (source,) = choose_sources(read_footage([ANN], 32)[0])
    row = int(mouth_opening(footage.driving.points).argmax())
    truth = footage.stored_image(row)
    drawn, points = truth.copy(), footage.driving.points[row]
    x, y = np.round(points[60:68].mean(0)).astype(int)
    drawn[y - 1 : y + 1, x - 1 : x + 1] = 0
    rows = Driving(
        points[None], footage.driving.irises[row][None], footage.driving.shoulders[row][None]
    )
    (painted,) = DonorPainter(library, source).paint([drawn], rows)
    inside = np.s_[y - 1 : y + 1, x - 1 : x + 1]
    assert np.abs(painted[inside].astype(int) - truth[inside]).max() <= 8
    np.testing.assert_array_equal(drawn[inside], 0)  # the drawn frame itself is not changed
    (same,) = DonorPainter({}, source).paint([drawn], rows)
    np.testing.assert_array_equal(same, drawn)


def test_pieces_are_painted_as_the_whole_where_the_donor_stays(footage: Footage) -> None:
    run(ANN, settings(mouths=1))
    (source,) = choose_sources(read_footage([ANN], 32)[0])
    frames = [footage.stored_image(row) for row in range(6)]
    rows = Driving(*(getattr(footage.driving, n)[:6] for n in ("points", "irises", "shoulders")))
    whole = list(DonorPainter(read_donors("ann"), source).paint(frames, rows))
    painter, pieces = DonorPainter(read_donors("ann"), source), []
    for part in (slice(0, 2), slice(2, 2), slice(2, 6)):
        piece = Driving(rows.points[part], rows.irises[part], rows.shoulders[part])
        pieces += painter.paint(frames[part], piece)
    np.testing.assert_array_equal(np.stack(pieces), np.stack(whole))


def test_the_spread_holds_the_extremes_and_skips_copies() -> None:
    line = np.array([[0.0], [0.1], [0.1], [0.1], [1.0], [-1.0]], np.float32)
    assert spread_rows(line, 3).tolist() == [0, 4, 5]
    assert spread_rows(line, 9).tolist() == list(range(6))


def test_the_sheet_warns_of_few_open_mouths(footage: Footage) -> None:
    run(ANN, settings())
    library = read_donors("ann")
    plenty, few = (draw_sheet("ann", library, [20, 0], settings(few=n)) for n in (3, 60))
    assert (plenty != few).any()


def test_missing_donors_are_one_clear_error(workdir: Path) -> None:
    with pytest.raises(MissingInput, match="no donors of ann"):
        read_donors("ann")


@pytest.mark.parametrize(
    ("name", "value"),
    [("mouths", 0), ("lids", -1), ("open", 2.0), ("closed", 1.5), ("blur", -0.1), ("few", -1)],
)
def test_params_out_of_bounds_are_refused(name: str, value: float) -> None:
    with pytest.raises(BadParams, match=name):
        validate_section("donors", PARAMS | {name: value}, DonorParams)
