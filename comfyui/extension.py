"""What ComfyUI loads: the nodes, their folder of models, and what older nodes become."""

from comfy_api.latest import ComfyAPI, ComfyExtension, io

from .nodes import folders
from .replacements import REPLACEMENTS


class AestheticExtension(ComfyExtension):
    async def on_load(self) -> None:
        """Only newer ComfyUI calls this; before 0.4 it has no replacements either."""
        if not hasattr(io, "NodeReplace"):
            return
        for replacement in REPLACEMENTS:
            await ComfyAPI().node_replacement.register(io.NodeReplace(**replacement))

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .nodes.combine_scores import AestheticCombineScores
        from .nodes.keep_best import AestheticKeepBest
        from .nodes.load_model import AestheticLoadModel
        from .nodes.log_choice import AestheticLogChoice
        from .nodes.save_with_score import AestheticSaveWithScore
        from .nodes.score_gate import AestheticScoreGate
        from .nodes.score_images import AestheticScoreImages

        folders.register()
        return [
            AestheticLoadModel,
            AestheticScoreImages,
            AestheticKeepBest,
            AestheticCombineScores,
            AestheticScoreGate,
            AestheticSaveWithScore,
            AestheticLogChoice,
        ]
