"""Speech: mel spectrogram, phones, sync, and the features that drive motion."""
