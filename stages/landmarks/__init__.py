"""Where a face's 68 landmarks, irises, shoulders and pose are, in every frame of a subject's clips.

    python -m stages landmarks seen/NAME

Reads data/clips/ROLE/NAME; writes data/landmarks/ROLE/NAME (docs/formats.md: landmarks, cameras).
"""
