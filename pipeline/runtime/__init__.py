"""The part of `pipeline` that stages may import: errors, progress, processes, files."""
