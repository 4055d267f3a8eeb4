"""Motion: audio to the 68 landmarks, head pose, eyes and shoulders of a style."""
