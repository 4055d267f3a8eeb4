"""Make any portrait speak: one picture becomes a source, a mean face and a rest pose."""
