"""Files of a project: tables, video, audio, images."""
