"""Where uploaded files lie while a request goes on: in memory, or, the large ones, in a file without a name."""

import tempfile
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class NamelessFileUploadHandler(FileUploadHandler):
    """Keeps a file where nobody else can open it, and where it is gone with the process, however that ends.

    Django's own has a name until the request is over, and stays behind where the process is killed.
    """

    file: "UploadedFile[Any]"

    def new_file(self, *args: Any, **options: Any) -> None:
        """Begin one."""
        super().new_file(*args, **options)
        self.file = UploadedFile(
            file=tempfile.TemporaryFile(),  # noqa: SIM115 -- read after this has returned, closed with the request
            name=self.file_name,
            content_type=self.content_type,
            size=0,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Add to it; nobody else keeps it."""
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        """The whole of it, from its beginning."""
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        """Let go of what came."""
        if hasattr(self, "file"):
            self.file.close()
