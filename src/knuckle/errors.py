"""Every error that Knuckle raises on purpose: what arrived, what was expected, what to do."""


class Error(Exception):
    """Base of all of them: `except knuckle.Error` catches whatever Knuckle refuses."""


class InputError(Error, ValueError):
    """An image, option, region or time stamp that cannot be used."""


class SourceError(Error, OSError):
    """A photo, clip, camera or stream that cannot be opened or that broke off."""


class SinkError(Error, OSError):
    """An output file that cannot be written."""


class BundleError(Error, OSError):
    """A model bundle that is unknown, missing, damaged or out of reach."""


class EngineError(Error, RuntimeError):
    """An inference engine or device that is not there or that refuses the network."""


class MissingExtraError(Error, ImportError):
    """An optional dependency is needed and not installed."""
