"""The palm detector's training: data, anchor targets, task."""
