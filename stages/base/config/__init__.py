"""Params, subjects, code versions, paths."""
