"""The page of tables: the truth first, arrows towards the better value, a line for what is absent."""

from stages.evaluation.page import page, rows_table

SCORES = {
    "frames": 12,
    "frames_of_new_scenes": 0,
    "gain_psnr_face": 1.234,
    "motion_frames": 30,
    "render": {"mouth_correlation": 0.5},
    "reconstruction": {"generator": {"psnr": 30.0, "lpips_face": 0.0512}, "truth": {}},
    "motion": {"generated": {"lmd": 1.5, "mouth_amplitude": 0.9}, "truth": {"lmd": 0.0}},
}


def test_the_truth_is_the_first_row_and_what_it_lacks_is_empty():
    lines = rows_table({"generator": {"psnr": 30.0}, "truth": {"ssim": 1.0}}).splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["", "-" * 11, "truth", "generator"]
    assert [cell.strip() for cell in lines[2].split("|")[2:4]] == ["", "1.000"]


def test_each_measure_points_towards_its_better_value():
    head = rows_table(
        {"truth": dict.fromkeys(("psnr_face", "l1_mouth", "d_l", "mouth_amplitude", "frames"), 1.0)}
    ).splitlines()[0]
    names = [cell.strip() for cell in head.split("|")[2:-1]]
    assert names == ["psnr_face ↑", "l1_mouth ↓", "d_l ↓", "mouth_amplitude →", "frames"]


def test_a_row_of_one_number_is_a_table_of_one_column():
    scores = SCORES | {"identity": {"generator": 0.95, "truth": 0.97, "bob": 0.83}}
    lines = page("held-out", "face", {"ann": scores}, {}).splitlines()
    first = next(row for row, line in enumerate(lines) if "csim_dlib ↑" in line)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first + 2 :][:3]]
    assert rows == [["truth", "0.970"], ["generator", "0.950"], ["bob", "0.830"]]


def test_the_page_has_a_section_for_each_subject_and_names_what_is_absent():
    text = page("held-out", "face", {"ann": SCORES, "bob": SCORES}, {"FID": "no weights"})
    assert text.count("### Picture") == text.count("### Mouth") == 2
    assert "+1.23 dB" in text
    assert "0.051" in text
    assert text.endswith("Absent: FID (no weights).\n")
