"""Tables, video, sound and images."""
