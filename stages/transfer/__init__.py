"""Style transfer: the motion model fine-tuned to one style."""
