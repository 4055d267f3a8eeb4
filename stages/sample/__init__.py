"""The sample subjects: drawn faces with synthesized voices, for a demo without data."""
