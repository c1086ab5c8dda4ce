"""Conditioners: what a diffusion model is told of a sound, each by name, in training and in the preset that comes out."""
