"""What JupyterLab is handed when it opens a notebook: the file, and the language that its kernel will speak.

JupyterLab writes that language into a notebook as soon as its kernel has told it, and a notebook that holds another
one, or none as those that are committed do, then counts as changed though nobody has touched it.
"""

from __future__ import annotations

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class Contents(AsyncLargeFileManager):
    """Files as ever, but that a notebook is in the language of this environment, if its kernel is."""

    async def get(self, path: str, content: bool = True, *args: Any, **options: Any) -> dict[str, Any]:
        """The model of a file or folder, as Jupyter's contents API defines it."""
        model = await super().get(path, content, *args, **options)
        if content and model["type"] == "notebook":
            metadata = model["content"]["metadata"]
            if metadata.get("kernelspec", {}).get("name") == "python3":
                metadata["language_info"] = dict(IPythonKernel.language_info)
        return model
