"""Samples as files: shards, clips, contact sheets."""
