"""How well a clip follows an imitation, and pictures of it. Imports numpy and `sound` only."""
