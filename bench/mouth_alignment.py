"""Measure the distance of the aligned style reference I_m to the frame, over the mouth.

    python bench/mouth_alignment.py                 # seen subjects of data, after `dvc repro match`
    python bench/mouth_alignment.py DATA --every 3  # every third training frame

Grey levels of 255 over the pixels of the frame's mouth: the reference unmoved, moved by the
similarity, by the mesh, and by the mesh except in triangles that grow more than fourfold against
the median of the face (a closed mouth drawn open), which the similarity moves; then those triangles
alone.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.spatial import Delaunay

from pipeline.runtime.user_errors import report_user_errors
from stages.base.arrays import AnyFloats
from stages.base.config import params
from stages.base.config.subjects import Subject
from stages.generator.footage import Footage, read_footage
from stages.generator.losses import EMPTY, MOUTH
from stages.generator.matched_references import MatchedReferences
from stages.generator.params import GeneratorParams

LIMIT = 4.0
NAMES = ("frames", "none", "similarity", "mesh", "limited", "grown, %", "there: mesh", "similarity")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", nargs="?", type=Path, default=Path("data"))
    parser.add_argument("--every", type=int, default=3, help="measure one frame in so many")
    args = parser.parse_args()
    with report_user_errors():
        size = params.read_section("generator", GeneratorParams).size
        names = sorted(path.name for path in (args.data / "match").iterdir())
        footage = read_footage([Subject("seen", name) for name in names], size, data=args.data)
        print(f"{'':16s}" + "".join(f"{name:>13s}" for name in NAMES))
        for person in footage:
            rows = np.array(_measured(person, args.data, args.every))
            far, share = rows[:, :4].mean(0), rows[:, 4].sum() / rows[:, 5].sum()
            there = [rows[rows[:, 4] > 0, k].mean() for k in (6, 7)]
            cells = [len(rows), *far, 100 * share, *there]
            print(f"{person.subject.name:16s}" + "".join(f"{cell:13.2f}" for cell in cells))


def _measured(person: Footage, data: Path, every: int) -> list[tuple[float, ...]]:
    """Per frame: four distances, grown pixels and all of the mouth, and two distances in those."""
    ways = {
        kind: MatchedReferences(person.subject, person.size, kind, data=data)
        for kind in ("none", "similarity", "mesh")
    }
    found = []
    for row in range(0, len(person), every):
        clip, frame = person.clips[person.clip[row]].id, int(person.frame[row])
        reference = ways["mesh"].matched_index(clip, frame)
        if reference < 0:
            continue
        points = person.driving.points[row]
        laid = {kind: way.aligned(clip, frame, points) for kind, way in ways.items()}
        empty = np.any([codes == EMPTY for _, codes in laid.values()], axis=0)
        mouth = (ways["mesh"].frame_codes(clip, frame) == MOUTH) & ~empty
        if not mouth.any():
            continue
        grown = mouth & (_growth(ways["mesh"].points[reference], points, person.size) > LIMIT)
        truth = person.image(row).astype(float)
        apart = {kind: np.abs(image - truth).mean(-1) for kind, (image, _) in laid.items()}
        apart["limited"] = np.where(grown, apart["similarity"], apart["mesh"])
        there = [apart[k][grown].mean() if grown.any() else np.nan for k in ("mesh", "similarity")]
        means = [apart[k][mouth].mean() for k in ("none", "similarity", "mesh", "limited")]
        found.append((*means, grown.sum(), mouth.sum(), *there))
    return found


def _growth(points: AnyFloats, targets: AnyFloats, size: int) -> AnyFloats:
    """Divide each pixel's triangle in the frame by its size in the reference, (size, size)."""
    mesh = Delaunay(targets)
    ratio = _areas(targets[mesh.simplices]) / np.maximum(_areas(points[mesh.simplices]), 1e-6)
    centres = np.arange(size) + 0.5
    triangle = mesh.find_simplex(np.stack(np.meshgrid(centres, centres), axis=-1))
    grown = np.where(triangle >= 0, ratio[triangle], np.nan)
    return np.asarray(grown / np.nanmedian(grown))


def _areas(corners: AnyFloats) -> AnyFloats:
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    return np.asarray(np.abs(ax * by - ay * bx) / 2)


if __name__ == "__main__":
    main()
