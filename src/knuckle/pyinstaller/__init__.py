"""Hooks for PyInstaller, which finds them by itself (the entry point `pyinstaller40` in pyproject.toml)."""

from __future__ import annotations

from pathlib import Path


def hook_folders() -> list[str]:
    """Folders with hooks: this one."""
    return [str(Path(__file__).parent)]
