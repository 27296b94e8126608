"""Other people's API and graphs: MediaPipe's legacy solutions, its Tasks and its reference graphs, on our pipeline."""
