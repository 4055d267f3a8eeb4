"""Change and check a project: people, neutral image, presets, doctor, verify."""
