"""The neutral image I_s of the style mapping."""
