"""Held-out voice, motion and generator rendered to videos with sound."""
