"""Parse the faces in all clips of one subject: `python -m stages.parsing ROLE/NAME`."""

import sys

from pipeline import forking, parallel
from pipeline.problems import one_line
from pipeline.subjects import Subject


def main() -> None:
    """Run the stage on the subject named on the command line."""
    with one_line():
        subject = Subject.parse(sys.argv[1] if len(sys.argv) == 2 else "")
        parallel.begin(forking.MEDIAPIPE)
        with forking.uncollected():
            from pipeline.params import section
            from stages.parsing.params import ParsingParams
            from stages.parsing.run import run

        print(run(subject, section("parsing", ParsingParams)))


if __name__ == "__main__":
    main()
