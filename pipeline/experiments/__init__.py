"""Sweeps over params and ablations, as DVC experiments."""
