"""The labelling page: photos become corrected landmarks (docs/label.md)."""
