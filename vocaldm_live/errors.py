"""The project's errors: each message is one sentence saying what is wrong, where, and what to do."""


class VocalDMError(Exception):
    """Base of every error that a user can cause or mend."""


class SoundError(VocalDMError):
    """A sound cannot be read or used: not audio, empty, silent, too short, too long."""


class PresetError(VocalDMError):
    """A preset cannot be loaded: unknown, damaged, of another shape."""


class RequestError(VocalDMError):
    """A request asks for what is not possible: steps 0, a negative guidance, a seed that is text."""


class LibraryError(VocalDMError):
    """A library cannot be used: its index is not built, damaged, in use, or of another encoder."""


class DeliveryError(VocalDMError):
    """A clip cannot be written where it should go: folder unwritable or full."""


class ClusterError(VocalDMError):
    """A studio's cluster cannot be used: not there, gone, of another version, or its workers end."""
