"""Listen: a voice becomes an imitation, from the microphone or from a watched folder."""
