"""Codes never lie on a disk as they were sent, and nothing that was sent has a name there."""

import os
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile, UploadedFile
from django.test import RequestFactory

from fulfillment.suppliers.stock_files import LARGEST_FILE
from kameng.core.uploads import NamelessFileUploadHandler


def uploaded(size: int) -> "UploadedFile[Any]":
    body = bytes(range(256)) * (size // 256 + 1)
    request = RequestFactory().post("/", {"codes": "x", "file": SimpleUploadedFile("codes.txt", body[:size])})
    found: Any = request.FILES["file"]
    assert (found.name, found.size, found.read(LARGEST_FILE * 8) == body[:size]) == ("codes.txt", size, True)
    return found


def test_a_file_of_codes_of_the_largest_size_stays_in_memory() -> None:
    assert isinstance(uploaded(LARGEST_FILE), InMemoryUploadedFile)


def test_what_is_larger_lies_in_a_file_without_a_name() -> None:
    found: Any = uploaded(settings.FILE_UPLOAD_MAX_MEMORY_SIZE + 1)
    about = os.fstat(found.file.fileno())
    assert (about.st_nlink, about.st_mode & 0o777) == (0, 0o600)
    found.close()
    assert found.closed


def test_an_upload_that_breaks_off_leaves_nothing() -> None:
    handler = NamelessFileUploadHandler()
    handler.upload_interrupted()
    handler.new_file("file", "bill.csv", "text/csv", 100)
    handler.receive_data_chunk(b"reference", 0)
    handler.upload_interrupted()
    assert handler.file.closed
