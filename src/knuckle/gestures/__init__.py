"""What a hand says: static gestures with calibrated confidence, gestures in motion, gestures that users teach."""
