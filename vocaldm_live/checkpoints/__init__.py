"""Checkpoints: presets on disk become networks and networks become presets. Nothing loads here."""
