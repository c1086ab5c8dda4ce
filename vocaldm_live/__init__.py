"""A voice imitates a sound; a 48 kHz sound with the same shape comes out."""

__version__ = "0.1.0"
