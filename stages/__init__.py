"""One package per capability, in the order of the data's way."""

import os

from pipeline.lifeline import end_with_parent

# Before torch is loaded: its threads sleep while they wait for each other. By default they spin,
# and a step beside any other work on the same cores takes two to three times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A stage that DVC runs ends with DVC, and its workers, which import this too, end with the stage.
if "DVC_STAGE" in os.environ:
    end_with_parent()
