"""Procedural sounds and synthetic voices that the house preset is trained on."""
