"""What a run leaves in Prefect's UI: tables, pictures, and where the videos are."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from pipeline.execution.dvc_project import error_text
from pipeline.execution.stage_graph import Dag
from pipeline.execution.stage_run import StageRun
from pipeline.runtime.user_errors import BadFormat
from stages.base.io.image_io import decode_png, encode_jpeg, resize

_LARGEST = 1_000_000  # bytes of a picture that is kept as it is
_SIDE = 1600  # px, of one that is not
_NOT_TABLED = re.compile(r"[^a-z0-9]+")


def plan(dag: Dag, names: Sequence[str]) -> None:
    """Tell what is stale, and why, before it runs."""
    rows = [
        {"stage": name, "why": ", ".join(dag.changes.get(name, ())) or "follows from another"}
        for name in dag.stale(names)
    ]
    create_table_artifact(key="plan", table=rows, description="What is stale, and what has changed")


def stages(works: Iterable[StageRun], names: Sequence[str]) -> None:
    """Tell what became of each stage, those that were not stale too."""
    by_name = {work.name: work for work in works}
    rows = [_row(name, by_name.get(name)) for name in names]
    create_table_artifact(key="stages", table=rows, description="What became of each stage")


def _row(name: str, work: StageRun | None) -> dict[str, Any]:
    if work is None:
        return {"stage": name, "state": "unchanged", "seconds": "", "changed": "", "note": ""}
    seconds = f"{work.seconds:.1f}" if work.seconds else ""
    why = ", ".join(work.changes)
    return {
        "stage": name,
        "state": str(work.state),
        "seconds": seconds,
        "changed": why,
        "note": work.note,
    }


def metrics() -> None:
    """Lay all metrics beside those of the last commit; nothing where there is neither."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError

    try:
        with Repo() as repo:
            told = repo.metrics.diff("HEAD", all=True)
    except (DvcException, SCMError, OSError) as error:
        get_run_logger().warning("no metrics: %s", error_text(error))
        return
    rows = [
        {
            "metric": name,
            "last commit": _number(change.get("old")),
            "now": _number(change.get("new")),
            "change": _number(change.get("diff")),
            "file": path,
        }
        for path, changes in told.get("diff", {}).items()
        for name, change in changes.items()
    ]
    if rows:
        create_table_artifact(
            key="metrics", table=rows, description="Metrics, beside those of the last commit"
        )


def _number(value: object) -> object:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value


def results(stages: Sequence[str]) -> None:
    """Show the pictures that stages have made, and link to their videos."""
    made = sorted(set(_made(stages)))
    for path in made:
        if path.suffix == ".png" and (picture := _picture(path)):
            create_image_artifact(image_url=picture, key=_key(path), description=str(path))
    if videos := [path for path in made if path.suffix == ".mp4"]:
        lines = [f"- [{path}]({path.absolute().as_uri()})" for path in videos]
        create_markdown_artifact(
            key="videos", markdown="\n".join(lines), description="Videos on the machine of the run"
        )


def _made(stages: Sequence[str]) -> Iterator[Path]:
    """Yield what lies in the outs of stages under reports/."""
    from dvc.repo import Repo

    with Repo() as repo:
        outs = [
            Path(out.fs_path)
            for stage in repo.index.stages
            if stage.addressing in set(stages)
            for out in stage.outs
        ]
        root = Path(repo.root_dir)
    for out in outs:
        if out.relative_to(root).parts[0] == "reports":
            found = [out] if out.is_file() else sorted(out.rglob("*"))
            yield from (path.relative_to(root) for path in found)


def _picture(path: Path) -> str:
    """Return a picture as a data: address, smaller where it is large; empty where it is none."""
    data, kind = path.read_bytes(), "png"
    if len(data) > _LARGEST:
        try:
            image = decode_png(data)
        except BadFormat:
            return ""
        height, width = image.shape[:2]
        scale = min(1.0, _SIDE / max(height, width))
        small = resize(image[..., :3], (round(height * scale), round(width * scale)))
        data, kind = encode_jpeg(small, 85), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _key(path: Path) -> str:
    """Name an artifact as Prefect wants it: a-z, 0-9 and dashes."""
    return _NOT_TABLED.sub("-", str(path.with_suffix("")).lower()).strip("-")
