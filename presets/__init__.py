"""The presets that ship with the project; the installed package is named `vocaldm_live_presets`."""
