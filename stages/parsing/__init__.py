"""Which pixel is mouth, eye, skin or none of them, in every frame of a subject's clips.

    python -m stages parsing seen/NAME

Reads data/clips/ROLE/NAME and data/landmarks/ROLE/NAME; writes data/parsing/ROLE/NAME
(docs/formats.md: parsing).
"""
