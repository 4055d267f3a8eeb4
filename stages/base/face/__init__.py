"""Geometry of faces: landmarks, projection, head pose, warping."""
