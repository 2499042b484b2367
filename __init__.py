"""A clone of this repository in ComfyUI/custom_nodes is a node pack, by this file; nothing else uses it.

ComfyUI runs it at every start, so that it imports nothing; test runners may import it under any name.
"""

from typing import Any

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Any:
    """What ComfyUI asks for the nodes."""
    from .comfyui.extension import AestheticExtension

    return AestheticExtension()
