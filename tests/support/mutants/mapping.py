"""The modules that are changed, and for each the tests that have to notice: those that are about it, and quick."""

_VIDEO = "tests/extract/video/"
_SANDBOX = _VIDEO + "sandbox/test_confine.py"
_CONFINED = tuple(
    f"{_SANDBOX}::{name}"
    for name in (
        "test_a_confined_process_can_do_its_work_and_nothing_else",
        "test_without_the_sandbox_the_same_process_can_do_all_of_that",
        "test_a_kernel_without_a_layer_still_has_the_other",
        "test_the_limits_of_a_confined_process",
        "test_layers_say_what_is_on",
    )
)
_LIMITS = tuple(
    f"{_VIDEO}test_limits.py::{name}"
    for name in (
        "test_limits_are_changed_by_name",
        "test_the_limits_are_those_of_the_documentation",
        "test_an_unknown_limit_is_refused_and_the_others_are_named",
        "test_a_limit_is_a_number_above_zero",
        "test_a_duration_ends",
        "test_what_is_measured_is_compared_with_the_limit_of_its_name",
    )
)
_FORMATS = ("tests/output/test_formats.py",)
_STORE = ("tests/extract/test_stored_videos.py", "tests/extract/test_store.py")
_CONTAINER = (_VIDEO + "test_signatures.py", _VIDEO + "test_container.py")
_PROCESS = (_VIDEO + "test_process.py",)
_FAULTS = tuple(
    f"{_VIDEO}test_sandboxed_process.py::{name}"
    for name in (
        "test_a_fault_costs_its_file_and_nothing_is_left",
        "test_a_crash_leaves_nothing_of_what_was_started_and_let_go",
        "test_a_decoder_that_hangs_costs_its_file_and_nothing_is_left",
        "test_closing_in_the_middle_ends_the_child",
    )
)

TESTS: dict[str, tuple[str, ...]] = {
    # what guards decoding
    "extract/video/container.py": _CONTAINER,
    "extract/video/signatures.py": _CONTAINER,
    "extract/video/wire_format.py": (_VIDEO + "test_wire_format.py",),
    "extract/video/process.py": _PROCESS,
    "extract/video/sandboxed_process.py": (*_PROCESS, *_FAULTS),
    "extract/video/limits.py": _LIMITS,
    "extract/video/sandbox/confine.py": _CONFINED,
    "extract/video/sandbox/landlock.py": (_VIDEO + "sandbox/test_landlock_versions.py", *_CONFINED),
    "extract/video/sandbox/seccomp.py": (_VIDEO + "sandbox/test_seccomp_filter.py", *_CONFINED),
    # the store of features
    "extract/store.py": _STORE,
    "extract/failures.py": _STORE,
    "vadpipe/features/file.py": ("tests/features/test_file.py",),
    "vadpipe/features/folder.py": ("tests/features/test_folder.py", "tests/features/test_recipe_choice.py"),
    "vadpipe/files/atomic.py": ("tests/files/test_atomic.py",),
    "vadpipe/files/locks.py": ("tests/files/test_locks.py",),
    # files and records of strangers
    "vadpipe/files/json_records.py": ("tests/files/test_json_records.py",),
    "vadpipe/annotations/excel_parts.py": ("tests/annotations/test_excel_parts.py",),
    "vadpipe/cli/recorded_reach.py": ("tests/cli/test_recorded_reach.py",),
    # going on after an interruption
    "vadpipe/training/resume.py": ("tests/training/test_resume.py",),
    # the threshold
    "vadpipe/training/calibration.py": ("tests/training/test_calibration.py",),
    "vadpipe/training/folds.py": ("tests/training/test_folds.py",),
    "vadpipe/head/platt_scaling.py": ("tests/head/test_platt_scaling.py",),
    # results
    "vadpipe/curves/events.py": ("tests/curves/test_events.py",),
    "vadpipe/curves/curve.py": ("tests/curves/test_curve.py",),
    "vadpipe/output/number_text.py": ("tests/output/test_number_text.py",),
    "vadpipe/output/timecode.py": ("tests/output/test_timecode.py",),
    "vadpipe/output/csv_and_npy.py": ("tests/output/test_csv_and_npy.py", *_FORMATS),
    "vadpipe/output/subtitles.py": ("tests/output/test_subtitles.py",),
    "vadpipe/output/edl.py": ("tests/output/test_edl.py",),
    "vadpipe/output/json_document.py": ("tests/output/test_json_document.py",),
    "vadpipe/output/json_records.py": ("tests/output/test_json_document.py",),
    "vadpipe/output/cvat.py": ("tests/output/test_annotation_tools.py",),
    "vadpipe/output/fiftyone.py": ("tests/output/test_annotation_tools.py",),
    "vadpipe/output/label_studio.py": ("tests/output/test_annotation_tools.py",),
}
