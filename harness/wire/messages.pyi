from harness.wire.stubs.apis_pb2 import *
from harness.wire.stubs.config_pb2 import *
from harness.wire.stubs.example_pb2 import *
from harness.wire.stubs.graph_pb2 import *
from harness.wire.stubs.session_pb2 import *
from harness.wire.stubs.tensor_pb2 import *
