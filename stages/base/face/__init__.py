"""Geometry of faces: landmarks, camera, head pose and warping."""
