"""The schemas, a node a file; only these know ComfyUI."""
