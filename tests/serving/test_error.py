"""What clients are told of a failure."""

import pytest

from nmt.serving.error import without_directories


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/srv/models/translator/2: no saved_model.pb", "2: no saved_model.pb"),
        ("cannot read '/srv/my-models/1/variables/variables.index' (2)", "cannot read 'variables.index' (2)"),
        ('  File "/home/someone/nmt/exports/blocks.py", line 3', '  File "blocks.py", line 3'),
        ("[[{{node while/body/Assert}}]] at 3 m/s, and/or", "[[{{node while/body/Assert}}]] at 3 m/s, and/or"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
    ],
)
def test_a_message_has_the_names_of_files_but_not_their_directories(message, told):
    assert without_directories(message) == told
