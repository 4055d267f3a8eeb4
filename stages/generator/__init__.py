"""Facial map, source image and four Intermediate Style Patterns → frame (method, section 6)."""
