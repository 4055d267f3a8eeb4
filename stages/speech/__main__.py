"""Speech of one subject: mel spectrogram, phones with their syllables, and sync.

    python -m stages.speech seen/NAME

Reads data/clips/ROLE/NAME (audio.wav and the ledger) and data/landmarks/ROLE/NAME; writes
data/speech/ROLE/NAME (see docs/formats.md, "mel", "phones" and "sync"). Sync is measured on the
training span alone, of an unseen subject on the whole clip; a clip whose sound is not its lips' is
rejected, with its reason.
Method: sections 1 and 4 of docs/method.md.
"""

import sys

from pipeline import forking, parallel
from pipeline.problems import Problem, one_line
from pipeline.subjects import Subject


def main(arguments: list[str]) -> None:
    """Run the stage for the subject that the command line names."""
    with one_line():
        if len(arguments) != 1:
            raise Problem("stages.speech", "expected one argument, ROLE/NAME")
        subject = Subject.parse(arguments[0])
        parallel.begin("stages.speech.preloaded")
        with forking.uncollected():
            from pipeline.params import section
            from stages.speech.params import SpeechParams
            from stages.speech.run import run

        verdicts = run(subject, section("speech", SpeechParams))
        print(f"{subject.name}: mel, phones and sync of {len(verdicts)} clips")
        for clip, verdict in verdicts.items():
            if verdict.reason:
                print(f"{verdict.status}: {clip}: {verdict.reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
