"""The output of a running stage: its log file, its lines, its progress."""

import os
import re
from typing import IO

from pipeline.execution.stage_run import RunCallbacks, StageRun
from pipeline.runtime.user_errors import UserError

_READ_BYTES, _PIPE_BYTES = 4096, 65536  # read at once; the capacity of a pipe
_PROGRESS = re.compile(r".+: (\d+/\d+ [\d.]+/s \d+ s left.*)")


class StageOutput:
    """Reads a stage's output from a pipe, without blocking."""

    def __init__(self, stage: StageRun, pipe: IO[bytes], callbacks: RunCallbacks) -> None:
        os.set_blocking(pipe.fileno(), False)
        self.stage, self.pipe, self.callbacks = stage, pipe, callbacks
        self.log = stage.log.open("wb", buffering=0)
        self.partial_line = b""

    def read(self) -> bool:
        """Read up to 4 KiB; return False at the end of the output.

        Raises:
            UserError: the log cannot be written.
        """
        try:
            data = os.read(self.pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return True
        try:
            self.log.write(data)
        except OSError as error:
            found = f"cannot be written: {str(error.strerror).lower()}"
            raise UserError(self.stage.log, found, "make room and run again") from None
        *lines, self.partial_line = re.split(rb"[\r\n]+", self.partial_line + data)
        if len(self.partial_line) > _PIPE_BYTES:
            lines, self.partial_line = [*lines, self.partial_line], b""
        for line in lines:
            self._handle(line)
        return bool(data)

    def read_rest(self) -> None:
        """Read what the pipe holds; no more, since a process left behind may write on."""
        for _ in range(_PIPE_BYTES // _READ_BYTES):
            self.read()
        self._handle(self.partial_line)

    def close(self) -> None:
        """Close the pipe and the log."""
        self.pipe.close()
        self.log.close()

    def _handle(self, data: bytes) -> None:
        line = data.decode(errors="replace").rstrip()
        if progress := _PROGRESS.fullmatch(line):
            self.stage.note = progress[1]
            self.callbacks.stage_progress(self.stage)
        elif line:
            self.stage.last_lines.append(line)
            self.callbacks.stage_output(self.stage, line)
