"""Artifacts of a run in Prefect's UI: tables, images, and links to videos."""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from pipeline.execution.dvc_project import Dag, error_text
from pipeline.execution.stage_run import StageRun
from pipeline.flows.page_server import ADDRESS
from stages.base.io.image_io import decode_png, encode_jpeg, resize

_MAX_BYTES = 1_000_000  # of an image that is stored unchanged
_MAX_SIDE = 1600  # px, of an image that is not
_NO_KEY = re.compile(r"[^a-z0-9]+")


def plan(dag: Dag, names: Sequence[str]) -> None:
    """Show which stages are stale, and why."""
    rows = [
        {"stage": name, "why": ", ".join(dag.changes.get(name, ())) or "needs another stale stage"}
        for name in dag.stale(names)
    ]
    create_table_artifact(key="plan", table=rows, description="Stale stages, and what has changed")


def page(path: Path) -> None:
    """Link to the project's page."""
    address = os.environ.get(ADDRESS)
    where = "served by `idiolect serve`" if address else "a file on the machine of the run"
    create_link_artifact(
        link=address or path.absolute().as_uri(),
        link_text=str(path),
        key="page",
        description=f"All results on one page: {where}",
    )


def stages(ended: Iterable[StageRun], names: Sequence[str]) -> None:
    """Show the state of each stage, also of those that were not stale."""
    by_name = {stage.name: stage for stage in ended}
    rows = [
        _row(by_name[name])
        if name in by_name
        else {"stage": name, "state": "unchanged", "seconds": "", "changed": "", "note": ""}
        for name in names
    ]
    create_table_artifact(key="stages", table=rows, description="The state of each stage")


def _row(stage: StageRun) -> dict[str, str]:
    return {
        "stage": stage.name,
        "state": str(stage.state),
        "seconds": f"{stage.seconds:.1f}" if stage.seconds else "",
        "changed": ", ".join(stage.changes),
        "note": stage.note,
    }


def metrics() -> None:
    """Show all metrics and those of the last commit, if there are metrics."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from scmrepo.exceptions import SCMError

    try:
        with Repo() as repo:
            diff = repo.metrics.diff("HEAD", all=True).get("diff", {})
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
        for path, changes in diff.items()
        for name, change in changes.items()
    ]
    if rows:
        create_table_artifact(
            key="metrics", table=rows, description="Metrics, with those of the last commit"
        )


def _number(value: object) -> object:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value


def results(stages: Sequence[str]) -> None:
    """Show the images that stages have written to reports/, and link to their videos."""
    paths = sorted(set(_reports(stages)))
    for path in paths:
        if path.suffix == ".png":
            url = _data_url(path)
            create_image_artifact(image_url=url, key=_key(path), description=str(path))
    if videos := [path for path in paths if path.suffix == ".mp4"]:
        lines = [f"- [{path}]({path.absolute().as_uri()})" for path in videos]
        create_markdown_artifact(
            key="videos", markdown="\n".join(lines), description="Videos on the machine of the run"
        )


def _reports(stages: Sequence[str]) -> Iterator[Path]:
    """Yield the files under reports/ that are outs of stages."""
    from dvc.repo import Repo

    with Repo() as repo:
        root = Path(repo.root_dir)
        outs = [
            Path(out.fs_path)
            for stage in repo.index.stages
            if stage.addressing in stages
            for out in stage.outs
        ]
    for out in outs:
        if out.is_relative_to(root / "reports"):
            paths = [out] if out.is_file() else out.rglob("*")
            yield from (path.relative_to(root) for path in paths)


def _data_url(path: Path) -> str:
    """Return a PNG as a data URL, scaled down if it is large."""
    data, kind = path.read_bytes(), "png"
    if len(data) > _MAX_BYTES:
        image = decode_png(data)
        height, width = image.shape[:2]
        scale = min(1.0, _MAX_SIDE / max(height, width))
        small = resize(image[..., :3], (round(height * scale), round(width * scale)))
        data, kind = encode_jpeg(small, 85), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _key(path: Path) -> str:
    """Return a key of the characters that Prefect allows: a-z, 0-9 and dashes."""
    return _NO_KEY.sub("-", str(path.with_suffix("")).lower()).strip("-")
