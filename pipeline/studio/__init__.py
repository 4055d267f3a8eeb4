"""The studio: a page on this machine that renders a face, a style and a voice."""
