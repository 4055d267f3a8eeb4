"""A page a subject: what was found in each clip, and why the rest gave none."""
