"""Preset: from a folder of sounds to a preset that plays, in stages that each go on where they were stopped."""
