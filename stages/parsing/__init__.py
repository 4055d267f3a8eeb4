"""Face parsing: label maps of mouth, eyes, skin and the rest, by one of two backends."""
