"""What travels: the protobuf messages, and tensors to and from numpy. Imports no TensorFlow."""
