"""Donor frames: training frames that lend the inside of the mouth and closed lids to a render."""
