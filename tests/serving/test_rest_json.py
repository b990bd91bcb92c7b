"""The JSON rules of TensorFlow Serving, beyond what its conformance cases over a socket (test_serve.py) show."""

import json
import subprocess
import sys

import numpy as np
import pytest

from nmt.serving.error import ServingError
from nmt.serving.rest_request import MAX_RANK, ROWS_AT_ONCE, read_request
from nmt.serving.rest_response import write_error, write_response

TEXT = {"text": "string"}


def read(body, types=TEXT):
    return read_request(body if isinstance(body, bytes) else body.encode(), lambda signature: types)


def refusal(body, types=TEXT):
    with pytest.raises(ServingError) as raised:
        read(body, types)
    return raised.value.code.name, raised.value.message


def test_rows_and_columns_hold_the_same_tensor():
    texts = ["a", "", "ü \U0001f600", "nul\0", "</>"]
    rows, columns = read(json.dumps({"instances": texts})), read(json.dumps({"inputs": {"text": texts}}))
    assert (rows.by_row, columns.by_row) == (True, False)
    expected = [text.encode() for text in texts]
    assert rows.inputs["text"].tolist() == columns.inputs["text"].tolist() == expected


@pytest.mark.parametrize("value", [3, [1, 2], [[1, 2], [3, 4]], [[], []], []])
def test_a_columnar_tensor_has_the_shape_of_its_lists(value):
    found = read(json.dumps({"inputs": value}), {"x": "int32"}).inputs["x"]
    np.testing.assert_array_equal(found, np.array(value, dtype=np.int32))
    assert found.dtype == np.int32
    assert found.shape == np.shape(value)


def test_rows_stack_along_a_new_first_dimension():
    rows = [{"a": [1, 2], "s": "x"}, {"s": "y", "a": [3.5, 4]}]
    found = read(json.dumps({"instances": rows}), {"a": "float32", "s": "string"}).inputs
    np.testing.assert_array_equal(found["a"], np.float32([[1, 2], [3.5, 4]]))
    assert found["s"].tolist() == [b"x", b"y"]


@pytest.mark.parametrize(
    ("token", "dtype", "expected"),
    [
        ("1", "float32", 1.0),
        ("1e39", "float32", np.inf),
        ("NaN", "float32", np.nan),
        ("-Infinity", "float64", -np.inf),
        ("123456789012345678901234567890", "float64", 123456789012345678901234567890.0),
        ("-9223372036854775808", "int64", -(2**63)),
        ("18446744073709551615", "uint64", 2**64 - 1),
        ("true", "bool", True),
    ],
)
def test_numbers_are_read_by_the_type_of_the_input(token, dtype, expected):
    found = read(f'{{"inputs": {token}}}', {"x": dtype}).inputs["x"]
    np.testing.assert_array_equal(found, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    ("token", "dtype"),
    [
        ("1.0", "int32"),
        ("1e2", "int64"),
        ("2147483648", "int32"),
        ("256", "uint8"),
        ("-1", "uint32"),
        ("9223372036854775808", "int64"),
        ("true", "int32"),
        ("true", "float32"),
        ("1", "bool"),
        ("null", "string"),
        ("1", "string"),
        ('"1"', "float64"),
    ],
)
def test_a_value_of_another_type_is_refused(token, dtype):
    code, message = refusal(f'{{"inputs": {token}}}', {"x": dtype})
    assert code == "INVALID_ARGUMENT"
    assert "is not of expected type: " in message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty."),
        (b" \n", "The document is empty."),
        (b'{"inputs": ["\xff"]}', "Invalid encoding in string. at offset: 13"),
        (b'{"inputs": ["a\nb"]}', "Invalid encoding in string."),
        (b'{"inputs": ["\\ud800"]}', "surrogate pair in string is invalid"),
        (b'{"inputs": [1e400]}', "Number too big to be stored in double."),
        (b'{"inputs": [' + b"9" * 5000 + b"]}", "Number too big to be stored in double."),
        (b'{"inputs": ["a" "b"]}', "Missing a comma or a closing bracket"),
        (b'{"a" 1}', "Missing a colon after a name of object member."),
        (b"{1: 2}", "Missing a name for object member."),
        (b"\xc3\xbc[]".replace(b"[]", b"[}"), "Invalid value. at offset: 0"),
        (b'{"x": ' + b"[" * 500_000 + b"]" * 500_000 + b"}", "nested too deeply"),
        (b'{"x": ' + b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_json_that_does_not_parse_is_refused_with_the_servers_words(body, message):
    code, found = refusal(body)
    assert code == "INVALID_ARGUMENT"
    assert message in found


def test_offsets_count_bytes_as_the_server_does():
    body = '{"ü": x}'.encode()
    assert refusal(body)[1].endswith(f"offset: {body.index(b'x}')}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"inputs": [["a"], ["b", "c"]]}', "Encountered list at unexpected size: 2 at level: 1 expected size: 1"),
        ('{"inputs": ["a", ["b"]]}', "Encountered list at unexpected level: 1 expected < 1"),
        ('{"inputs": [["a"], "b"]}', "found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
        ('{"inputs": {"other": "a"}}', "Missing named input: text in 'inputs' object."),
        ('{"instances": [{"text": "a"}, {}]}', "keys must be equal to: text"),
        ('{"instances": ["a", {"text": "b"}]}', "Expecting value/list but got object at item 1 of input list"),
        ('{"instances": [["a"], ["b", "c"]]}', "Expecting tensor size: 1 but got: 2"),
        ('{"inputs": [{"b64": "YQ==", "more": 1}]}', "not formatted correctly for base64 data"),
        ('{"inputs": [{"b64": "Y"}]}', "Unable to base64 decode"),
    ],
)
def test_values_of_the_wrong_form_are_refused_with_the_servers_words(body, message):
    code, found = refusal(body)
    assert code == "INVALID_ARGUMENT"
    assert message in found


def test_types_without_a_json_form_are_unimplemented():
    assert refusal('{"inputs": [1]}', {"x": "float16"})[0] == "UNIMPLEMENTED"


def test_base64_carries_any_bytes():
    assert read('{"inputs": [{"b64": "/wA="}, {"b64": "/wA"}]}').inputs["text"].tolist() == [b"\xff\0", b"\xff\0"]
    assert read(r'{"inputs": [{"b64": "/w\n A\t=\r\n"}]}').inputs["text"].tolist() == [b"\xff\0"]


def test_the_first_of_equal_keys_counts_and_what_follows_the_object_does_not():
    assert read('{"instances": ["a"], "instances": ["b"]} {"instances"').inputs["text"].tolist() == [b"a"]


def test_a_byte_order_mark_is_no_part_of_the_document():
    assert read(b'\xef\xbb\xbf{"instances": ["a"]}').inputs["text"].tolist() == [b"a"]


def test_large_wrong_values_are_not_echoed_whole():
    assert len(refusal('{"signature_name": 1, "x": "' + "y" * 100_000 + '"}')[1]) < 1000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_written_float_reads_back_as_the_same_number(dtype):
    generator = np.random.default_rng(1)
    values = np.concatenate(
        [
            generator.standard_normal(2000) * 10.0 ** generator.integers(-30, 30, 2000),
            [0.0, -0.0, 1e6, 3e-5, 16777216.0, 0.1, 1 / 3],
        ]
    ).astype(dtype)
    text = write_response({"y": values}, by_row=True).decode()
    np.testing.assert_array_equal(np.array(json.loads(text)["predictions"], dtype=dtype), values)


def test_floats_are_short_where_six_digits_do_and_always_look_like_floats():
    values = np.float32([0.1, 3.0, 5.003, 1e6, 1435774380.0, 1 / 3, np.nan, -np.inf])
    text = write_response({"y": values}, by_row=False).decode()
    # %.6g where that reads back, else %.9g (the digits of float32), with .0 or an exponent.
    assert (
        text.split(":", 1)[1].strip("{} \n") == "[0.1, 3.0, 5.003, 1e+06, 1.43577434e+09, 0.333333343, NaN, -Infinity]"
    )


def test_integers_and_booleans_are_exact():
    outputs = {"i": np.array([2**63 - 1, -(2**63)]), "b": np.array([True, False])}
    assert json.loads(write_response(outputs, by_row=False))["outputs"] == {
        "i": [2**63 - 1, -(2**63)],
        "b": [True, False],
    }


def test_rows_are_objects_by_name_unless_there_is_one_output():
    one = {"y": np.arange(4).reshape(2, 2)}
    assert json.loads(write_response(one, by_row=True)) == {"predictions": [[0, 1], [2, 3]]}
    two = {**one, "s": np.array([b"a", b'"\n'], dtype=object)}
    assert json.loads(write_response(two, by_row=True)) == {
        "predictions": [{"s": "a", "y": [0, 1]}, {"s": '"\n', "y": [2, 3]}]
    }


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (0, 3), (2, 3, 2), (1, 0, 2)])
def test_columns_keep_every_shape(shape):
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    assert json.loads(write_response({"y": value}, by_row=False))["outputs"] == value.tolist()


def test_strings_are_text_and_outputs_named_bytes_are_base64():
    value = np.array(["ü".encode(), b"\xff"], dtype=object)
    assert json.loads(write_response({"s": value}, by_row=True))["predictions"] == ["ü", "\ufffd"]
    assert json.loads(write_response({"s_bytes": value}, by_row=True))["predictions"] == [
        {"b64": "w7w="},
        {"b64": "/w=="},
    ]


def test_an_error_is_json_whatever_the_message_holds():
    assert json.loads(write_error('"quoted"\n\ud800')) == {"error": '"quoted"\n?'}


def test_reading_and_writing_json_imports_no_tensorflow():
    code = "import nmt.serving.rest_request, nmt.serving.rest_response, sys; print('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- many values ---

MANY = 2 * ROWS_AT_ONCE + 500


@pytest.mark.parametrize("value", ["s", {"b64": "cw=="}, ["s", "t"], [["s"], ["t"]]])
def test_rows_that_mix_texts_and_bytes_hold_what_each_says(value):
    rows = [value] * MANY
    rows[ROWS_AT_ONCE + 7] = json.loads(json.dumps(value).replace('"s"', '{"b64": "eA=="}'))
    found = read(json.dumps({"instances": rows})).inputs["text"]
    alone = [read(json.dumps({"instances": [row]})).inputs["text"] for row in rows]
    np.testing.assert_array_equal(found, np.concatenate(alone))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("x", f"Failed to process element: {MANY - 9} of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"x\""),
        ([1.0], "Expecting shape [] but got: [1]"),
        ([1.0, 2.0], "Expecting tensor size: 1 but got: 2"),
        ({"x": 1.0}, f"Expecting value/list but got object at item {MANY - 9} of input list"),
    ],
)
def test_one_wrong_row_among_many_is_found(wrong, message):
    rows = [1.0] * MANY
    rows[-9] = wrong
    assert message in refusal(json.dumps({"instances": rows}), {"x": "float32"})[1]


def test_one_row_among_many_without_a_key_is_found():
    rows = [{"a": 1, "s": "x"}] * MANY
    rows[-9] = {"a": 1}
    code, message = refusal(json.dumps({"instances": rows}), {"a": "int32", "s": "string"})
    assert code == "INVALID_ARGUMENT"
    assert message.startswith(f"Failed to process element: {MANY - 9} of 'instances' list. JSON object: ")
    assert message.endswith(" keys must be equal to: a,s")


@pytest.mark.parametrize("rank", [MAX_RANK + 1, 65, 300])
def test_lists_nested_deeper_than_a_tensor_can_be_are_refused(rank):
    tensor = "[" * rank + "1" + "]" * rank
    for body in (f'{{"inputs": {tensor}}}', f'{{"instances": {tensor}}}'):
        code, message = refusal(body, {"x": "float32"})
        assert code == "INVALID_ARGUMENT"
        assert f"at most rank {MAX_RANK}" in message
