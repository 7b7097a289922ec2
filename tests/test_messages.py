import pytest

from napari_pffnet.messages import (
    Answer,
    Cancel,
    Envelope,
    Progress,
    explain,
    read_line,
    write_line,
)


@pytest.mark.parametrize(
    "message",
    [
        Envelope(job=3, request=Cancel()),
        Answer(job=3, body=Progress(done=1, total=2, text="plane 1\nof 2")),
    ],
)
def test_a_message_is_one_line_and_comes_back_as_it_was(message):
    line = write_line(message)
    assert line.count(b"\n") == 1
    assert read_line(line) == message


@pytest.mark.parametrize("line", [b"printed by a library\n", b"{}\n", b"\xff\n"])
def test_a_line_that_is_no_message_is_refused(line):
    with pytest.raises(ValueError, match="validation error"):
        read_line(line)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("Choose a channel."), "Choose a channel."),
        (OSError(28, "No space left on device", "/tmp/a"), "No space left on device"),
        (RuntimeError("CUDA out of memory. Tried 2 GiB"), "memory did not suffice"),
        (RuntimeError("std::bad_alloc"), "memory did not suffice"),
        (RuntimeError("CPU: not enough memory: you"), "memory did not suffice"),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), "memory did not suffice"),
        (OSError(12, "Cannot allocate memory"), "memory did not suffice"),
        (MemoryError(), "memory did not suffice"),
        (ImportError("libcudart.so"), "libcudart.so"),
        (KeyError("x"), "unexpected happened"),
    ],
)
def test_an_error_becomes_a_sentence_with_its_traceback(error, sentence):
    failed = explain(error)
    assert sentence in failed.sentence
    assert type(error).__name__ in failed.details
