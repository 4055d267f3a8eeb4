"""Params, subjects, code versions and paths."""
