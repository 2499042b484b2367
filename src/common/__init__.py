"""What everyone may use and nobody owns: errors, atomic files, devices, Ctrl-C, metrics, scaling."""

from typing import TYPE_CHECKING

from .lazy import lazily

if TYPE_CHECKING:  # what is imported here is public; at run time each name is, when it is first used
    from .blas import one_blas_thread
    from .claims import claimed
    from .components import principal_components
    from .correlation import correlations, pearson, spearman, spearman_among
    from .devices import pick_device, torch_threads
    from .downloads import stand_in
    from .ending import end_on_signals, run_script
    from .errors import UserError, first_line, run
    from .files import (
        address,
        check_writable,
        copy_to,
        flush_to_disk,
        named_in_text,
        plain,
        relative_to,
        replacing,
        shown_path,
        write_text,
    )
    from .helpers import available_cores, be_a_helper, ignoring_ctrl_c
    from .hidden_states import by_place, number, place_and_state, read_states, write_states
    from .html import page_head
    from .interruption import Interruption
    from .kernel import draw_landmarks, low_rank, squared_distances, vectors_of
    from .many_names import Names
    from .memory import return_large_arrays
    from .metrics import METRICS, Screens, mse
    from .names import METRIC_NAMES, SEED
    from .notes import keeps_notes, note, notes_kept
    from .order import Expected, ab, expected_order
    from .parts import has_ended, new_part, process_name, remove_parts
    from .ranks import mean_ranks
    from .scaling import standardisation, weighing_alike
    from .waiting import Steps, counted, working
    from .words import all_of, command_of, number_of
else:
    __getattr__, __dir__, __all__ = lazily(__name__, __file__)
