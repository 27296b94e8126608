"""The hand shapes that the network tells apart."""

from __future__ import annotations

from knuckle.gestures.network import OTHER

SHAPES = (
    *("fist", "asl_A", "asl_E", "asl_M", "asl_N", "asl_T", "thumb_in", "thumb", "open", "flat", "asl_B"),
    *("one", "asl_D", "asl_G", "hook", "two", "two_together", "crossed", "asl_K", "three", "three_thumb", "four"),
    *("six", "seven", "eight", "ok", "pinch", "beak", "asl_C", "rock", "love", "call", "gun", "ell", "pinky"),
    *("middle_finger", OTHER),
)
