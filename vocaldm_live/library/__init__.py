"""Library: a user's folder of sounds, indexed by what the encoder hears, and searched by voice."""
