"""Metrics: figures over sets of embeddings and over pairs of sounds, plain numpy, each with its interval."""
