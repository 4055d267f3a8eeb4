"""Key motion templates, style reference images, and each frame's best match among them."""
