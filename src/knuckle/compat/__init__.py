"""Old scripts that say `import mediapipe` run on Knuckle.

`python -m knuckle.compat old_script.py` runs one; `install()` does the same for the program that calls it.
"""

from knuckle.compat.finder import NotCoveredError, install

__all__ = ["NotCoveredError", "install"]
