"""Run the scheduler as `idiolect repro` does, on a project of other stages: JOBS STAGE…"""

import sys

from pipeline.execution.console import console
from pipeline.execution.reproduce import print_summary, reproduce
from pipeline.runtime.user_errors import report_user_errors

if __name__ == "__main__":
    with report_user_errors():
        jobs, *stages = sys.argv[1:]
        code, runs = reproduce(stages, int(jobs), callbacks=console, check_project=False)
        print_summary(runs, print)
        raise SystemExit(code)
