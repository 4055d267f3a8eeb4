"""Neutral image and style reference → Intermediate Style Pattern (method, section 5)."""
