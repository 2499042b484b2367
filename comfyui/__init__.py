"""Nodes for ComfyUI. `nodes/` are the schemas, a file each; all else is ordinary code that knows nothing of ComfyUI.

The toolkit itself is imported when a node first runs: ComfyUI imports this at every start, and waits.
"""
