"""One state of the project, a commit or the workspace: read its files from git and DVC's cache.

The project may be the root of its git repository, a folder of it, a git worktree or a submodule.
All paths are relative to the project's folder.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.execution import repair
from pipeline.execution.dvc_files import object_path
from pipeline.execution.project_lock import require_project
from pipeline.project import git
from pipeline.runtime.user_errors import MissingInput, UserError

WORKSPACE = "workspace"


class Revision:
    """Read files of a commit, from git or by hash from DVC's cache, without a checkout.

    Args:
        name: the name in messages and tables.
        commit: full hash; empty for the workspace.

    Raises:
        UserError: this is no project, the commit does not hold it, or DVC cannot read it.
    """

    def __init__(self, name: str, commit: str = "") -> None:
        from dvc.api import DVCFileSystem
        from dvc.repo import Repo

        require_project()
        self.name, self.commit = name, commit
        with dvc_errors(name):
            repo = _open_commit(name, commit) if commit else Repo()
            self.files = DVCFileSystem(repo)
            self.index = repo.index

    def __str__(self) -> str:
        return self.name

    def text(self, path: str) -> str | None:
        """Return a text file's content; None where this revision has none."""
        if not self.has(path):
            return None
        with self.local(path) as copy:
            return copy.read_text(errors="replace")

    def yaml(self, path: str) -> Mapping[str, Any]:
        """Return a YAML mapping; empty where this revision has none.

        Raises:
            BadParams: it is no mapping.
        """
        from stages.base.config.params import read_params

        if not self.has(path):
            return {}
        with self.local(path) as copy:
            return read_params(copy)

    def subjects(self) -> set[str]:
        """Return the names of params.yaml's subjects."""
        subjects = self.yaml("params.yaml").get("subjects")
        named = subjects.get("all") if isinstance(subjects, Mapping) else None
        return set(named) if isinstance(named, Mapping) else set()

    def has(self, path: str) -> bool:
        """Return whether this revision has a path.

        In a commit: git has it, or DVC recorded its hash, even if the cache lost the bytes. In the
        workspace: it exists on disk.
        """
        with dvc_errors(self.name):
            try:
                info = self.files.info(path)
            except FileNotFoundError:
                return False
        if self.commit and info["type"] == "file" and info.get("dvc_info"):
            return bool(_md5(info))
        return bool(self.commit or Path(path).exists())

    def md5(self, path: str) -> str:
        """Return the hash that DVC recorded of a file; empty where it recorded none."""
        try:
            info = self.files.info(path)
        except FileNotFoundError:
            return ""
        return _md5(info)

    def names(self, folder: str) -> list[str]:
        """List the files below a folder."""
        with dvc_errors(self.name):
            return sorted(self.files.find(folder)) if self.has(folder) else []

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """Yield a temporary copy of a file.

        Raises:
            MissingInput: it is not in this revision, or no longer in DVC's cache.
        """
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / Path(path).name
            self.copy(path, copy)
            yield copy

    def copy(self, path: str, to: Path) -> None:
        """Copy a file out of this revision; raise MissingInput as `local`."""
        if not self.has(path):
            raise MissingInput(
                f"{path} of {self.name}", "was never made", "run `idiolect repro` there"
            )
        try:
            self.files.get_file(path, str(to))
        except FileNotFoundError:
            fetch = "`dvc fetch --all-commits` if a remote has it, then `dvc pull`"
            todo = fetch if self.commit else "`dvc pull`, or `idiolect repro`"
            raise MissingInput(f"{path} of {self.name}", "is not in DVC's cache", todo) from None

    def status(self) -> dict[str, list[Any]]:
        """Return what has changed since the last run, by stage or .dvc file, as `dvc status`."""
        with dvc_errors(self.name):
            return dict(self.index.repo.status())

    def outs(self) -> list[Path]:
        """List the outs that have a recorded hash, relative to the project."""
        root = self.index.repo.root_dir
        return sorted(
            Path(os.path.relpath(out.fs_path, root)) for out in self.index.outs if out.hash_info
        )

    def absent(self) -> list[str]:
        """List the outs that are missing or incomplete in DVC's cache."""
        with dvc_errors(self.name):
            outs = [out for out in self.index.outs if out.use_cache and out.hash_info]
            return sorted(str(out.def_path) for out in outs if out.changed_cache())


def _open_commit(name: str, commit: str) -> Any:
    """Open the project's folder as a commit holds it; DVC alone would open the top folder."""
    from dvc.fs import GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    scm = SCM(".")
    files = GitFileSystem(scm=scm, rev=commit)
    root = f"/{git.prefix()}"
    if not files.isdir(files.join(root, Repo.DVC_DIR)):
        found = f"commit {commit[:10]} has no project in this folder ({root}) of its repository"
        raise UserError(name, found)
    return Repo(root, fs=files, scm=scm)


def _md5(info: Mapping[str, Any]) -> str:
    return str(info.get("md5") or (info.get("dvc_info") or {}).get("md5") or "")


@contextmanager
def dvc_errors(item: str) -> Iterator[None]:
    """Raise a one-line UserError for an error of DVC's."""
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    try:
        yield
    except DataIndexDirError:  # the listing of a folder
        found = "a folder's files are neither in DVC's cache nor in the remote"
        todo = "`idiolect push` where they are, then `idiolect pull` here"
        raise MissingInput(f"dvc of {item}", found, todo) from None
    except DvcException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"dvc of {item}", f"failed: {reason}", "repair that file") from None


def dvc_add(path: Path) -> None:
    """Track a file or folder with DVC, as `dvc add` does.

    Raises:
        UserError: DVC fails.
    """
    from dvc.repo import Repo

    repair.remove_partial_checkouts(path)
    try:
        with dvc_errors("add"), Repo() as repo:
            repo.scm_context.quiet = True  # a promotion commits .dvc files: no hint by hand
            repo.add([str(path)])
    finally:
        repair.remove_partial_checkouts(path)


def first_uncached(paths: Iterable[Path]) -> Path | None:
    """Return the first file at or below paths whose bytes DVC's cache does not have."""
    from dvc.repo import Repo

    with dvc_errors("cache"), Repo() as repo:
        objects = Path(repo.cache.local.path)
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                with file.open("rb") as content:
                    md5 = hashlib.file_digest(content, "md5").hexdigest()
                if not object_path(objects, md5).is_file():
                    return file
    return None
