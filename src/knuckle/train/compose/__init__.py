"""Composed pictures with their labels: people put into other rooms, hands pasted into scenes."""
