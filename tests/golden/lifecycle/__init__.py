"""What TensorFlow Serving 2.20.0 did in 273 timelines, and the reference server beside it."""
