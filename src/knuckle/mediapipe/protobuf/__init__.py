"""MediaPipe's result messages: real ones if the protobuf package is installed, our own with the same results if not."""
