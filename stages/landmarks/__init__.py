"""Landmarks of faces, shoulders and head pose, by one of two backends."""
