"""gRPC: what a client sends is checked before memory is taken for it; limits, health, reflection and reloading."""

import random
import re
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from serving_cases.make_fixtures import save_echo, save_half_plus, save_slow, save_types
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc, predict_pb2

from nmt.serving.grpc_server import GrpcLimits
from nmt.serving.server import Server, model_config
from nmt.serving.text_limits import TextLimits

PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = health_pb2.HealthCheckResponse
TEXT = TextLimits(max_lines=5, max_line_bytes=40)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models")
    save_types(directory / "types" / "1")
    save_echo(directory / "echo" / "1")
    return directory


@pytest.fixture(scope="module")
def server(directory):
    configs = [model_config(directory / name, name=name) for name in ("types", "echo")]
    limits = GrpcLimits(max_message_bytes=100_000, max_calls=8)
    with Server(configs, port=0, rest_api_port=0, text=TEXT, grpc=limits) as server:
        yield server


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        yield channel


def call(channel, request):
    """Sends a PredictRequest, or any bytes -> code and details, or the response."""
    method = channel.unary_unary(PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString)
    try:
        return method(request if isinstance(request, bytes) else request.SerializeToString(), timeout=60)
    except grpc.RpcError as error:
        return error.code().name, error.details()


def asking(model, name, proto, signature=""):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    request.inputs[name].CopyFrom(proto)
    return request


def proto(dtype, sizes, **fields):
    made = TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum, **fields)
    for size in sizes:
        made.tensor_shape.dim.add(size=size)
    return made


@pytest.mark.parametrize(
    ("signature", "tensor", "reason"),
    [
        ("f32", proto("float32", [10**8], float_val=[1.0]), "100,000,000 elements, but 1 values were sent"),
        ("f32", proto("float32", [10**8]), "0 values were sent"),
        ("f32", proto("float32", [10**6, 10**6, 10**6]), "0 values were sent"),
        ("f32", proto("float32", [2**62, 2**62]), "0 values were sent"),
        ("f32", proto("float32", [-1], float_val=[1.0]), "negative size"),
        ("f32", proto("float32", [1] * 255, float_val=[1.0]), "rank 255"),
        ("f32", proto("float32", [1], float_val=[1.0, 2.0]), "1 elements, but 2 values"),
        ("f32", proto("float32", [3], tensor_content=b"12345678"), "tensor_content has 8 bytes"),
        ("i8", proto("int8", [1], int_val=[300]), "tensor parsing error"),
        ("half", proto("float16", [1], half_val=[70_000]), "tensor parsing error"),
        ("f32", proto("int8", [1], int_val=[1]), "Input x expects float32 but int8 is provided"),
        ("f32", TensorProto(dtype=999), "tensor parsing error"),
        ("f32", proto("complex64", [1]), "dtype complex64 is not read here"),
        ("f32", proto("float32", []), None),
        ("f32", proto("float32", [1000], float_val=[1.0]), None),
        ("f32", proto("float32", [0, 2**40]), None),
        ("f32", proto("float32", [1] * 254, float_val=[1.0]), "tensor parsing error"),  # NumPy ends at 64
    ],
)
def test_a_tensor_that_claims_what_it_does_not_hold_is_an_invalid_argument(channel, caplog, signature, tensor, reason):
    answer = call(channel, asking("types", "x", tensor, signature))
    if reason is None:
        assert answer.outputs["y"].tensor_shape == tensor.tensor_shape
    else:
        assert answer[0] == "INVALID_ARGUMENT", answer
        assert reason in answer[1]
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "tensor",
    [
        proto("string", [10**7], string_val=[b"a"]),
        proto("string", [2], string_val=[b"a" * 5000]),
        proto("string", [1], tensor_content=b"\x01a"),
    ],
)
def test_strings_are_not_repeated_beyond_what_was_sent(channel, tensor):
    code, details = call(channel, asking("echo", "text", tensor))
    assert (code, "tensor parsing error: text (" in details) == ("INVALID_ARGUMENT", True)


def test_a_tensor_whose_rank_is_unknown_is_an_invalid_argument(channel):
    tensor = TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[1.0])
    tensor.tensor_shape.unknown_rank = True
    assert call(channel, asking("types", "x", tensor, "f32"))[0] == "INVALID_ARGUMENT"


def test_what_initializes_a_model_is_no_signature_to_call(channel):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "echo", "__saved_model_init_op"
    code, details = call(channel, request)
    assert (code, "initializes the model" in details) == ("INVALID_ARGUMENT", True)


def test_text_beyond_a_limit_is_refused_by_name(channel):
    line = b"x" * TEXT.max_line_bytes
    answer = call(channel, asking("echo", "text", tf.make_tensor_proto([line] * TEXT.max_lines)))
    assert len(answer.outputs["translation"].string_val) == TEXT.max_lines
    for lines, reason in (
        ([line + b"x"], "line 1 has 41 bytes.*--max-line-bytes"),
        ([b""] * 6, "6 lines.*--max-lines"),
    ):
        code, details = call(channel, asking("echo", "text", tf.make_tensor_proto(lines)))
        assert code == "INVALID_ARGUMENT"
        assert re.search(reason, details)


def test_a_message_beyond_the_limit_is_refused(channel):
    request = asking("echo", "text", tf.make_tensor_proto([b"x" * 100_001]))
    code, details = call(channel, request)
    assert (code, "larger than max" in details) == ("RESOURCE_EXHAUSTED", True)


def test_mutated_messages_never_fail_inside_the_server(channel, caplog):
    choose = random.Random(1)
    seeds = [
        asking("types", "x", tf.make_tensor_proto(np.ones([2, 3], np.float32)), "f32"),
        asking("types", "x", proto("int8", [2], int_val=[1, 2]), "i8"),
        asking("echo", "text", tf.make_tensor_proto([b"one", b"two"])),
    ]
    codes = set()
    for _ in range(1500):
        message = bytearray(choose.choice(seeds).SerializeToString())
        for _ in range(choose.randint(1, 4)):
            place = choose.randrange(len(message))
            kind = choose.randrange(3)
            if kind == 0:
                message[place] = choose.randrange(256)
            elif kind == 1:
                message[place:place] = bytes(choose.choices(b"\x00\x01\x08\x12\x7f\x80\xff", k=choose.randint(1, 9)))
            else:
                del message[place : place + choose.randint(1, 3)]
            if not message:
                break
        answer = call(channel, bytes(message))
        codes.add(answer[0] if isinstance(answer, tuple) else "OK")
    assert codes <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
    assert {"OK", "INVALID_ARGUMENT"} <= codes
    assert "Traceback" not in caplog.text


# --- calls at once, health, stopping ---


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """A folder of models, of which `slow` counts to x; and a server of them."""
    folder = tmp_path_factory.mktemp("changing")
    save_half_plus(folder / "half" / "1", 1.0)
    save_half_plus(folder / "half" / "2", 2.0)
    save_slow(folder / "slow" / "1")
    configs = [model_config(folder / name, name=name) for name in ("half", "slow")]
    with Server(configs, port=0, rest_api_port=0, grpc=GrpcLimits(max_calls=4)) as server:
        yield folder, server


def half(channel, **spec):
    request = asking("half", "x", tf.make_tensor_proto([0.0]))
    if "label" in spec:
        request.model_spec.version_label = spec["label"]
    answer = call(channel, request)
    return answer if isinstance(answer, tuple) else answer.outputs["y"].float_val[0]


def test_calls_beyond_the_limit_are_refused_at_once_and_then_answered_again(changing):
    _, server = changing
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        held = threading.Event()  # until then no message follows the head of a call
        calls = []

        def refused() -> bool:
            # One more each time, as the short call may have had a place that a held one was refused.
            calls.append(channel.stream_unary(PREDICT).future(iter(held.wait, True)))
            return half(channel) == ("RESOURCE_EXHAUSTED", "Concurrent RPC limit exceeded!")

        wait_until(refused)
        for each in calls:
            each.cancel()
        held.set()
        wait_until(lambda: half(channel) == 2.0)


def health(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status


def reload_models(channel, configs):
    request = model_management_pb2.ReloadConfigRequest()
    for name, base_path, platform, versions, labels in configs:
        added = request.config.model_config_list.config.add(
            name=name, base_path=base_path, model_platform=platform, version_labels=labels
        )
        if versions is None:
            added.model_version_policy.all.SetInParent()
    return model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=60)


def test_reloading_changes_models_and_labels_and_a_mistake_changes_nothing(changing):
    folder, server = changing
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        assert (health(channel), health(channel, "half"), health(channel, "slow")) == (STATUS.SERVING,) * 3
        labelled = model_config(folder / "half", name="half")._replace(versions=None, version_labels={"old": 1})
        slow = model_config(folder / "slow", name="slow")
        reload_models(channel, [labelled, slow])
        assert (half(channel), half(channel, label="old")) == (2.0, 1.0)

        save_half_plus(folder / "more" / "7", 7.0)
        (folder / "broken" / "1").mkdir(parents=True, exist_ok=True)
        more = model_config(folder / "more", name="more")
        for wrong in (
            [],
            [more, model_config(folder / "broken", name="broken")],
            [more, model_config(folder / "nosuch", name="nosuch")],
            [more, model_config("/" + "x" * 5000, name="long")],
            [more, more],
        ):
            with pytest.raises(grpc.RpcError) as refusal:
                reload_models(channel, wrong)
            assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert server.models.names == ["half", "slow"]
            assert (half(channel), half(channel, label="old")) == (2.0, 1.0)

        reload_models(channel, [more, slow])
        assert half(channel) == ("NOT_FOUND", "Servable not found for request: Latest(half)")
        wait_until(lambda: health(channel, "more") == STATUS.SERVING and health(channel, "half") == STATUS.NOT_SERVING)
        assert health(channel) == STATUS.SERVING
        reload_models(channel, [model_config(folder / "half", name="half"), slow])
        assert half(channel) == 2.0


def test_a_model_without_a_version_is_not_healthy(tmp_path):
    save_half_plus(tmp_path / "m" / "1", 1.0)
    with (
        Server([model_config(tmp_path / "m", name="m")], port=0, rest_api_port=0) as server,
        grpc.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        assert (health(channel), health(channel, "m")) == (STATUS.SERVING,) * 2
        (tmp_path / "m" / "1").rename(tmp_path / "m" / "gone")
        wait_until(lambda: (health(channel), health(channel, "m")) == (STATUS.NOT_SERVING,) * 2)
        with pytest.raises(grpc.RpcError) as refusal:
            health(channel, "nosuch")
        assert refusal.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_server_that_stops_says_so_and_finishes_the_calls_under_way(tmp_path):
    save_slow(tmp_path / "slow" / "1")
    server = Server([model_config(tmp_path / "slow", name="slow")], port=0, rest_api_port=0)
    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30)
        assert next(watched).status == STATUS.SERVING
        request = asking("slow", "x", tf.make_tensor_proto([20_000.0]))
        under_way = channel.unary_unary(PREDICT).future(request.SerializeToString(), timeout=60)
        time.sleep(0.1)  # the call is under way, or its answer is: both must arrive
        closing = threading.Thread(target=server.close)
        closing.start()
        assert next(watched).status == STATUS.NOT_SERVING
        answer = predict_pb2.PredictResponse.FromString(under_way.result())
        assert answer.outputs["y"].float_val == [20_000.0]
        closing.join(20)
        assert not closing.is_alive(), "a client that watches does not hold it up"


def test_reflection_names_the_services_and_describes_them(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"} <= set(
        database.get_services()
    )
    service = DescriptorPool(database).FindServiceByName("tensorflow.serving.PredictionService")
    assert service.methods_by_name["Predict"].input_type.full_name == "tensorflow.serving.PredictRequest"
