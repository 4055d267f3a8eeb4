"""The page of formats, docs/formats.md."""
