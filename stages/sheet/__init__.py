"""A page per subject: measurements of each usable clip, and why other shots were rejected."""
