"""Classify, Regress and MultiInference over tf.Example, on both protocols."""
