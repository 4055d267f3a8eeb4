"""Video to clips: shots with one face, cropped, at a constant rate, and their ledger."""
