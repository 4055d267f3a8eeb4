"""One package per capability, in the order of the data's way."""
