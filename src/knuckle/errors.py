"""The errors that Knuckle raises. Their messages say what arrived, what was expected and what to do."""


class Error(Exception):
    """Base class of all of them: `except knuckle.Error` catches every error that Knuckle raises."""


class InputError(Error, ValueError):
    """An image, option, region or time stamp cannot be used."""


class SourceError(Error, OSError):
    """A photo, video, camera or stream cannot be opened, or broke off."""


class SinkError(Error, OSError):
    """An output file cannot be written."""


class BundleError(Error, OSError):
    """A model bundle is unknown, missing or damaged, or cannot be fetched."""


class EngineError(Error, RuntimeError):
    """An inference engine or device is missing or refuses the network."""


class MissingExtraError(Error, ImportError):
    """An optional dependency is needed and not installed."""
