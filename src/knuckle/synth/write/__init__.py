"""Samples on disk: shards, clips, contact sheets."""
