"""`idiolect verify`: hash all recorded files again, and name every file that differs.

    idiolect verify          # the item store (sha256), the outs and DVC's cache (md5)

DVC hashes a file of the workspace again only if its size or time has changed, and a file of its
cache never; here every byte is read. No file is changed: each line names the repair.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.execution import dvc_files
from pipeline.execution.project_lock import require_project
from pipeline.project import compare_locks
from pipeline.project.revision import dvc_errors
from pipeline.runtime import item_store, progress
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.user_errors import BadFormat, UserError

NOTHING = "nothing"
RUN = "run"  # an entry of DVC's run cache, named by a hash of its content without sizes

Hashes = Mapping[Path, str]


@dataclass(frozen=True)
class Group:
    """Files that were recorded together: an item, an out, or one object of DVC's cache.

    Attributes:
        path: the item's folder, the out or the object.
        kind: hash of its files: sha256, md5 or `RUN`.
        expected: the hash of each file; None for a folder whose listing is lost.
        present: the files that exist.
        name: DVC's hash of an out or an object.
        stage: the stage, or the .dvc file, of an out.
    """

    path: Path
    kind: str
    expected: Hashes | None
    present: frozenset[Path]
    name: str = ""
    stage: str = ""

    def files(self) -> list[Path]:
        """List the files that are expected or exist."""
        return sorted({*(self.expected or ()), *self.present})

    def differences(self, hashes: Hashes) -> list[tuple[Path, str, str]]:
        """Return path, expected hash and computed hash of each difference."""
        if not os.path.lexists(self.path):
            return [(self.path, self.name, NOTHING)]
        if self.expected is None:
            found = {p.relative_to(self.path).as_posix(): hashes[p] for p in self.present}
            pairs = [(self.path, self.name, dvc_files.folder_hash(found))]
        else:
            pairs = [(p, self.expected.get(p, NOTHING), hashes[p]) for p in self.files()]
        return [pair for pair in pairs if pair[1] != pair[2]]


def read_item_store() -> tuple[list[Group], list[UserError], int]:
    """Return the items, an error per unreadable manifest, and the number of items without one."""
    groups: list[Group] = []
    errors: list[UserError] = []
    without = 0
    for folder in sorted(item_store.STORE.glob("??/[!.]*")):
        try:
            recorded = item_store.recorded(folder)
        except BadFormat as error:
            errors.append(error)
            continue
        if recorded is None:
            without += 1
            continue
        expected = {folder / name: sha256 for name, sha256 in recorded.items()}
        present = frozenset(item_store.files(folder).values())
        groups.append(Group(folder, "sha256", expected, present))
    return groups, errors, without


def read_dvc() -> tuple[list[Group], list[Group], list[str]]:
    """Return outs with a hash, the objects of DVC's cache, and the stages whose outs have none.

    Raises:
        UserError: DVC cannot read dvc.yaml, dvc.lock or a .dvc file.
    """
    from dvc.repo import Repo

    with dvc_errors("dvc.lock"), Repo() as repo:
        objects = Path(os.path.relpath(repo.cache.local.path))
        runs = Path(os.path.relpath(repo.stage_cache.cache_dir))
        recorded = [out for out in repo.index.outs if out.hash_info and out.hash_name == "md5"]
        unrecorded = {out.stage.addressing: 0 for out in repo.index.outs if out not in recorded}
        outs = [_out_group(out, objects) for out in recorded]
    return outs, [*_objects(objects), *_run_entries(runs)], list(unrecorded)


def _out_group(out: Any, objects: Path) -> Group:
    path, name = Path(str(out)), out.hash_info.value
    present = frozenset({path} if os.path.lexists(path) else ())
    if path.is_dir():
        files = out.dvcignore.find(out.fs, out.fs_path)
        present = frozenset(Path(os.path.relpath(file)) for file in files)
    expected = _read_listing(path, name, objects) if out.hash_info.isdir else {path: name}
    return Group(path, "md5", expected, present, name, out.stage.addressing)


def _objects(folder: Path) -> Iterator[Group]:
    for path, name in dvc_files.objects(folder):
        expected = {path: dvc_files.content_hash(name)}
        yield Group(path, "md5", expected, frozenset(expected), name)


def _run_entries(folder: Path) -> Iterator[Group]:
    for path in dvc_files.run_entries(folder):
        yield Group(path, RUN, {path: path.name}, frozenset({path}), path.name)


def _read_listing(folder: Path, name: str, objects: Path) -> dict[Path, str] | None:
    """Return the hashes of a folder's files from DVC's cache; None if lost or damaged there."""
    listing = dvc_files.read_listing(objects, name)
    return None if listing is None else {folder / path: md5 for path, md5 in listing.items()}


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
        todo = f"no stage uses them; to free the disk, delete {item_store.STORE}"
        print(f"not recorded: items of an older version: {without}; {todo}")
    if unrecorded:
        lock = dvc_files.LOCK
        names = ", ".join(unrecorded) if lock.is_file() else f"{lock} does not exist"
        print(f"not recorded: {names}; run `idiolect repro`")
    counts = f"{len(store)} items, {len(outs)} outs, {len(cache)} objects of DVC's cache"
    differ = f"{len(errors)} differ{'s' * (len(errors) == 1)}" if errors else "nothing differs"
    print(f"{counts}, {size / 2**20:.0f} MB: {differ}")
    if write_lock and not errors:
        if unrecorded:
            raise UserError(
                write_lock, "not written: outs are not recorded", "run `idiolect repro`"
            )
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
                return dvc_files.run_entry_hash(file.read())
            return hashlib.file_digest(file, kind).hexdigest()
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        return f"unreadable: {error.strerror}"
    except ValueError:
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
    shown = 12 if expected[:12] != computed[:12] else None
    short = (text if " " in text else text[:shown] for text in (expected, computed))
    return UserError(path, "expected {}, found {}".format(*short), todo)


def _repair(group: Group, expected: str, computed: str, cached: set[str]) -> str:
    """Return how to restore a file of the workspace; `cached` names intact objects of the cache."""
    delete = "" if computed == NOTHING else "delete it, then "
    if expected == NOTHING:
        return "delete it"
    if group.stage.endswith(".dvc") and computed in cached and expected not in cached:
        return f"keep it; restore {group.stage} from git, or `dvc commit {group.stage}`"
    if group.expected is None and computed != NOTHING:
        delete = f"which file is not known: its listing is not in DVC's cache; {delete}"
    elif expected in cached:
        return f"{delete}`dvc checkout {group.path}`"
    if group.stage.endswith(".dvc"):
        return f"{delete}copy it again from its source, or `dvc pull {group.path}`"
    return f"{delete}`dvc repro {group.stage}`"
