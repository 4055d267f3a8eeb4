"""Training loop, model files, pre-trained weights, perceptual networks."""
