"""Commands of `vocaldm-train`: one thin file each."""
