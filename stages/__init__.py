"""One package per capability, in the order of the data's way."""

import os

# Before torch is loaded: its threads sleep while they wait for each other. By default they spin,
# and a step beside any other work on the same cores takes two to three times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
