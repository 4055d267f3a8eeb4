"""Style references: retrieval by key motion templates, and the match of each frame."""
