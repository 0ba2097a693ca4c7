"""What a source says of the same matter, but otherwise."""

import pytest

from fusion_tool.grounding.support import judge_support


@pytest.mark.parametrize(
    ("source", "true", "false"),
    [
        (
            "Ministers cut the cod quota by 22%. The herring quota rises by 5%.",
            "The cod quota was cut by 22% and the herring quota rises by 5%.",
            "The cod quota was cut by 5% and the herring quota rises by 22%.",
        ),
        (
            "Net income slipped to $611 million from $654 million in the quarter.",
            "Net income in the quarter fell from $654 million to $611 million.",
            "Net income in the quarter climbed from $611 million to $654 million.",
        ),
        (
            "The default timeout was lowered from 60 s to 15 s.",
            "The default timeout is 15 seconds.",
            "The default timeout is 60 seconds.",
        ),
        (
            "The average price of coffee was $3.48 per kilogram last season.",
            "The average price of coffee was $3.48 per kilogram.",
            "The average price of coffee was $3.48 per bag.",
        ),
        (
            "In the new release download_name replaces attachment_filename.",
            "attachment_filename is replaced by download_name.",
            "attachment_filename replaces download_name.",
        ),
        (
            'Lars Oke called the deal "painful but survivable". The commissioner, Ana Petrescu, welcomed the deal.',
            'Lars Oke described the deal as "painful but survivable".',
            'Ana Petrescu described the deal as "painful but survivable".',
        ),
        (
            "The more important the project, the more formal the training.",
            "The more important the project is, the more formal is the training.",
            "The more important the project is, the less formal is the training.",
        ),
        (
            "The detector counted 3.2 \u00d7 10^6 events per second.",
            "The detector counted 3.2 million events per second.",
            "The detector counted 106 events per second.",
        ),
        (
            "The detector counted 3.2 \u00d7 10^6 events per second.",
            "The detector counted 3.2e6 events per second.",
            "The detector counted 3.2 \u00d7 10^9 events per second.",
        ),
        (
            "The ticket price was $80 for adults and children pay nothing.",
            "The ticket price was $80 for adults.",
            "The ticket price was $100 for adults.",
        ),
        (
            "The bid was for £38.2 million over seven years.",
            "The bid was for 38.2 million pounds over seven years.",
            "The bid was for 38.2 billion pounds over seven years.",
        ),
        (
            "By 1904 the information was confirmed by two observers.",
            'The page says: "the information was confirmed by two observers".',
            'The page says: "the information was denied by two observers".',
        ),
        (
            "parser | speed (MB/s) | memory\nquickjay | 940 | 48",
            "The parser quickjay has a speed of 940 MB/s.",
            'The parser "quickjay is slow in all of our tests".',
        ),
    ],
)
def test_the_true_sentence_is_supported_and_the_false_one_is_told(source: str, true: str, false: str) -> None:
    assert (judge_support(true, source), judge_support(false, source)) == ("supported", "mismatch")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "Changing the number SHALL NOT be possible without a second factor.",
            "It is possible to change the number.",
        ),
        (
            "json functions no longer take an encoding parameter.",
            "An encoding parameter is not accepted by json functions.",
        ),
        (
            "The LZ77 algorithm may use a string of an earlier block.",
            "It is LZ77, not Huffman, that may use a string of an earlier block.",
        ),
        (
            "etcd is very sensitive to disk latency. A SSD has lower latency than a disk.",
            "ZooKeeper is very sensitive to disk latency.",
        ),
        (
            "It was tested with GCC 5.4.0 on a corpus of texts.",
            "The ratio on the corpus of texts tested with GCC was 2.1.",
        ),
        (
            "Urlaub ist abzugelten, wenn er nicht mehr gewährt werden kann.",
            "Nicht mehr gewährter Urlaub ist wegen des Endes der Arbeit abzugelten.",
        ),
    ],
)
def test_nobody_is_accused_without_need(source: str, sentence: str) -> None:
    assert judge_support(sentence, source) != "mismatch"
