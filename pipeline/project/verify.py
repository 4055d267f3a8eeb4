"""`idiolect verify`: hash all recorded files again, and name every file that differs.

    idiolect verify          # the item store (sha256), the outs and DVC's cache (md5)

DVC hashes a file of the workspace again only if its size or time has changed, and a file of its
cache never; here every byte is read. Nothing is changed: each line names the repair.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.execution.project_lock import require_project
from pipeline.project import compare_locks
from pipeline.project.recorded_hashes import (
    NOTHING,
    RUN,
    Group,
    Hashes,
    read_dvc,
    read_item_store,
)
from pipeline.runtime import progress
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.item_store import STORE
from pipeline.runtime.user_errors import UserError


def run(write_lock: Path | None = None) -> int:
    """Hash everything again; print a line for each difference, and one of counts.

    Args:
        write_lock: where to write dvc.lock with this CPU's flags if nothing differs.

    Returns:
        1 if anything differs, else 0.

    Raises:
        MissingInput: this is no project's folder.
        UserError: DVC cannot read its files, or a lock is to be written without recorded outs.
    """
    require_project()
    outs, cache, unrecorded = read_dvc()
    store, errors, without = read_item_store()
    groups = [*store, *cache, *outs]
    hashes, size = _hash({path: group.kind for group in groups for path in group.files()})
    errors += _differences(store, cache, outs, hashes)
    for error in errors:
        print(f"differs: {error}")
    if without:
        todo = f"no stage uses them; to free the disk, delete {STORE}"
        print(f"not recorded: items of an older version: {without}; {todo}")
    if unrecorded:
        lock = compare_locks.LOCK
        names = ", ".join(unrecorded) if lock.is_file() else f"{lock} is not here"
        print(f"not recorded: {names}; run `dvc repro`")
    counts = f"{len(store)} items, {len(outs)} outs, {len(cache)} objects of DVC's cache"
    differ = f"{len(errors)} differ{'s' * (len(errors) == 1)}" if errors else "nothing differs"
    print(f"{counts}, {size / 2**20:.0f} MB: {differ}")
    if write_lock and not errors:
        if unrecorded:
            raise UserError(write_lock, "not written: outs are not recorded", "run `dvc repro`")
        compare_locks.write(write_lock)
        print(f"written: {write_lock}")
    return 1 if errors else 0


def _hash(files: Mapping[Path, str]) -> tuple[dict[Path, str], int]:
    """Hash files by their kinds in threads; return the hashes and the bytes read."""
    hashes, done = {}, 0
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    with (
        ThreadPoolExecutor(cpu_count()) as pool,
        progress.bar("verify (MB)", sum(sizes) >> 20) as bar,
    ):
        digests = pool.map(digest, files, files.values())
        for path, size, hashed in zip(files, sizes, digests, strict=True):
            hashes[path] = hashed
            if step := ((done + size) >> 20) - (done >> 20):
                bar.advance(step)
            done += size
    return hashes, done


def digest(path: Path, kind: str) -> str:
    """Return the sha256, md5 or `RUN` hash of a file, or why it cannot be read."""
    try:
        with path.open("rb") as file:
            if kind == RUN:
                return _run_entry_hash(file.read())
            return hashlib.file_digest(file, kind).hexdigest()
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _run_entry_hash(content: bytes) -> str:
    """Hash an entry of DVC's run cache as DVC does."""
    from dvc.utils import dict_sha256
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entry = YAML(typ="safe").load(content.decode())
        return str(dict_sha256(entry, exclude=["size", "nfiles"]))
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return "unreadable: not what DVC wrote"


def _differences(
    store: Sequence[Group], cache: Sequence[Group], outs: Sequence[Group], hashes: Hashes
) -> Iterator[UserError]:
    """Yield an error for each difference; the cache comes before the outs restored from it."""
    for group in store:
        todo = f"delete {group.path}: it is made again when needed"
        yield from (_error(*difference, todo) for difference in group.differences(hashes))
    damaged = {group.stage for group in outs if group.differences(hashes)}
    stage_of = {
        name: group.stage
        for group in outs
        if group.stage not in damaged
        for name in (group.name, *(hashes[path] for path in group.present))
    }
    for group in cache:
        restore = f", then `dvc commit {stage_of[group.name]}`" if group.name in stage_of else ""
        yield from (_error(*d, f"delete it{restore}") for d in group.differences(hashes))
    cached = {group.name for group in cache if not group.differences(hashes)}
    for group in outs:
        for path, expected, computed in group.differences(hashes):
            yield _error(path, expected, computed, _repair(group, expected, computed, cached))


def _error(path: Path, expected: str, computed: str, todo: str) -> UserError:
    short = (text if " " in text else text[:12] for text in (expected, computed))
    return UserError(path, "expected {}, found {}".format(*short), todo)


def _repair(group: Group, expected: str, computed: str, cached: set[str]) -> str:
    """Return how to restore a file of the workspace; `cached` names intact objects of the cache."""
    delete = "" if computed == NOTHING else "delete it, then "
    if expected == NOTHING:
        return "delete it"
    if group.expected is None and computed != NOTHING:
        delete = f"which file is not known: its listing is not in DVC's cache; {delete}"
    elif expected in cached:
        return f"{delete}`dvc checkout {group.path}`"
    if group.stage.endswith(".dvc"):
        return f"{delete}copy it again from where it came, or `dvc pull {group.path}`"
    return f"{delete}`dvc repro {group.stage}`"
