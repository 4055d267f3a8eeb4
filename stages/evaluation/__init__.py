"""Evaluation: distance of renders and reconstructions to held-out truth, against baselines."""
