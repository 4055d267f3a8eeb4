"""docs/formats.md, written from `pipeline.formats`: `python -m pipeline.formats_page` (`make docs`)."""

from pipeline import formats
from pipeline.formats import ALL, LABELS


def page() -> str:
    """Return docs/formats.md: this module's coordinates, and each table column by column."""
    lines = [
        "# Formats",
        "",
        "Written by `make docs` from `pipeline/formats.py`; a test reads all artifacts against it.",
        "ROLE is `seen` or `unseen`, S a subject, CLIP a clip id. Tables are Parquet; a cell with",
        "a shape is a flat fixed-size list in C order.",
        "",
        *(formats.__doc__ or "").split("\n\n", 2)[2].rstrip().splitlines(),
        "",
        "Label maps: " + ", ".join(f"{code} {name}" for code, name in enumerate(LABELS)) + ".",
        "",
    ]
    for fmt in ALL:
        lines += [f"## {fmt.name}", "", f"`{fmt.where}`: one row is {fmt.row}.", ""]
        lines += ["| column | dtype | shape | unit | meaning |", "|---|---|---|---|---|"]
        for column in fmt.columns:
            shape = " × ".join(str(n) for n in column.shape)
            lines.append(
                f"| {column.name} | {column.type} | {shape} | {column.unit} | "
                f"{column.text.replace('|', chr(92) + '|')} |"
            )
        lines.append("")
    return "\n".join([*lines, _OTHER_FILES])


_OTHER_FILES = """## Files that are no tables

| file | what it holds |
|---|---|
| data/raw/S/ | a subject's videos as they were added; never changed; held_out.txt: what stays held out |
| data/truth/S/ | the truth of a sample subject, the tests' measuring stick; no stage reads it |
| data/portrait/ | neutral.png, a user's own neutral image, cut as clips are |
| data/clips/ROLE/S/CLIP/audio.wav | the clip's sound, 16 kHz mono, 16-bit PCM |
| data/templates/templates.csv | the four key motion templates: template, step, one column a descriptor |
| data/neutral.png | the neutral image I_s of the style mapping, RGB |
| models/*.safetensors | weights; the metadata's `config` is JSON: sizes of the networks and what else inference needs |
| reports/training/STAGE/ | curves of a training as DVCLive writes them |
| reports/sheets/S.png | a page of what was found: clips with landmarks, regions, sync and quality, and the reasons of what gave none |
| reports/references/S.png, reports/isp/S.png | contact sheets |
| reports/isp/S.json | means of isp scores over all and over the chosen ISPs, how many were measured, judges |
| reports/videos/S.mp4 | held-out voice of S, re-voiced in its own style: H.264 and AAC |
| reports/videos/S/ | beside.mp4 (truth, from true landmarks, from voice), as_OTHER.mp4, motion tables |
| promotion.yaml | by which rules a challenger becomes champion |
| reports/promotion/DATE_WHAT.md | a decision with its table, in git: champion-N, keep, rollback-N or restore-N; only added to |
| reports/compare/A_B/ | index.html of the last `idiolect compare A B`, and copies of the pictures that differ |
| reports/evaluation/ | tables.md, and pictures of held-out frames and mouth curves of each subject |
| reports/sweep/, reports/ablation/ | table.md, table.csv and plot.png of the last `idiolect sweep`, `idiolect ablate` |
| reports/metrics.json | every metric with its split, crop, judge and number of frames |
"""


def main() -> None:
    """Print the page, or with `--check FILE` fail where the file differs from it."""
    import sys
    from pathlib import Path

    if sys.argv[1:2] == ["--check"]:
        path = Path(sys.argv[2])
        if not path.is_file() or path.read_text() != page() + "\n":
            sys.exit(f"{path}: differs from pipeline/formats.py; run `make docs`")
    else:
        print(page())


if __name__ == "__main__":
    main()
