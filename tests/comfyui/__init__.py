"""The nodes: their code as it is, their schemas against a stand-in of ComfyUI, all of it in a real one."""
