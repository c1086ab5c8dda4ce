"""Deliver: a clip becomes a WAV file with its recipe and its credits inside. Imports numpy, never torch."""
