"""The errors that Knuckle raises. Their messages say what arrived, what was expected and what to do."""

# What Python and NumPy raise while they read damaged or hostile data. A reader catches exactly these and raises an
# `Error` that names the file and the row.
DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Error(Exception):
    """Base class of all of them: `except knuckle.Error` catches every error that Knuckle raises.

    Its text is one line, whatever it quotes: names of files may hold line breaks.
    """

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


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


def reason_of(error: BaseException) -> str:
    """What an error says, on one line of at most 300 letters; the name of its type where it says nothing."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return " ".join(str(error).split())[:300] or type(error).__name__
