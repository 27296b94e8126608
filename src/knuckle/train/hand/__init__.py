"""The landmark network's training: data, task, visibility head."""
