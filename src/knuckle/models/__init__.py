"""Network files and how they run: bundles, the cache, inference engines, tflite files, the visibility head."""
