"""What goes wrong in training: each message is one sentence saying what is wrong, where, and what to do."""

from vocaldm_live.errors import RequestError, VocalDMError


class TrainingError(VocalDMError):
    """Base of what a person who trains can cause or mend."""


class DataError(TrainingError):
    """Data cannot be read or used: a folder that is none, a corrupt file, a split that leaks."""


class RecipeError(TrainingError, RequestError):
    """A recipe or an option asks for what is not possible."""


class RunError(TrainingError):
    """A run cannot start or go on: a folder of another run, a checkpoint that does not fit, a full disk."""
