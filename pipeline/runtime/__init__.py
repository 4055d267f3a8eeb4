"""What stages may use of `pipeline`: errors, progress, processes, files; no byte of a result."""
