"""The camera: lens, sensor, and the labels of every hand that it sees."""
