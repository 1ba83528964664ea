from harness.wire.stubs.packed_pb2 import *
