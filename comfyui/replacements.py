"""What the older tool's nodes (chrisgoringe/Custom-classifier-nodes) become in a workflow that is loaded here.

Values are handed on as they are: rules go by their old names, which `keeping.combine` knows. No model can be handed
on, as the old node loaded it itself: whoever loads such a workflow connects a Load Aesthetic Model.
"""

from typing import Any

REPLACEMENTS: list[dict[str, Any]] = [
    {
        "old_node_id": "Image Aesthetic Scorer",
        "new_node_id": "AestheticScoreImages",
        "old_widget_ids": ["custom_model"],
        "input_mapping": [{"new_id": "images", "old_id": "images"}, {"new_id": "batch_size", "set_value": 16}],
        "output_mapping": [{"new_idx": 4, "old_idx": 0}, {"new_idx": 0, "old_idx": 1}, {"new_idx": 1, "old_idx": 2}],
    },
    {
        "old_node_id": "Sort by Scores",
        "new_node_id": "AestheticKeepBest",
        "old_widget_ids": ["order"],
        "input_mapping": [
            {"new_id": "images", "old_id": "images"},
            {"new_id": "scores", "old_id": "scores"},
            {"new_id": "order", "old_id": "order"},
            {"new_id": "k", "set_value": 0},
        ],
        "output_mapping": [{"new_idx": 0, "old_idx": 0}],
    },
    {
        "old_node_id": "Save If",
        "new_node_id": "AestheticSaveWithScore",
        "old_widget_ids": ["filename_prefix", "threshold"],
        "input_mapping": [
            {"new_id": "images", "old_id": "images"},
            {"new_id": "scores", "old_id": "scores"},
            {"new_id": "filename_prefix", "old_id": "filename_prefix"},
            {"new_id": "threshold", "old_id": "threshold"},
        ],
        "output_mapping": [],
    },
    {
        "old_node_id": "Score Operations",
        "new_node_id": "AestheticCombineScores",
        "old_widget_ids": ["operation"],
        "input_mapping": [
            {"new_id": "a", "old_id": "x"},
            {"new_id": "b", "old_id": "y"},
            {"new_id": "rule", "old_id": "operation"},
        ],
        "output_mapping": [{"new_idx": 0, "old_idx": 0}],
    },
]
