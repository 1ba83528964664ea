"""What TensorFlow Serving 2.20.0 answered to 2,060 requests, and the reference server's answers beside it."""
