"""A page runs as a reader would run it: top to bottom, in one fresh process."""

import os
import random
import signal
import sys
import warnings
from pathlib import Path

import matplotlib
import pytest
import torch

from executable_pages.reading import read_page
from executable_pages.running import run_page


@pytest.fixture
def run(write_page):
    def run(text, name="page.md"):
        return run_page(read_page(write_page(text, name)))

    return run


def failures(run):
    return [result.failure for result in run.results]


def test_blocks_share_one_module_named_main(run):
    results = run(
        """
        ```python
        x = 20
        ```

        ```python
        print(x + 1, __name__)
        ```
        """
    ).results
    assert results[1].output == "21 __main__\n"


def test_a_class_of_the_page_can_be_pickled_and_its_source_found(run):
    result = run(
        """
        Prose that is not Python.

        ```python
        import inspect
        import pickle

        class Thing:
            size = 3

        assert pickle.loads(pickle.dumps(Thing())).size == 3
        print(inspect.getsource(Thing))
        ```
        """
    ).results[0]
    assert result.failure is None
    assert result.output == "class Thing:\n    size = 3\n\n"


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
def test_data_loader_workers_find_a_data_set_of_the_page(run):
    result = run(
        """
        ```python
        import torch

        class Squares(torch.utils.data.Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                return torch.tensor(index**2)

        loader = torch.utils.data.DataLoader(Squares(), batch_size=4, num_workers=1)
        print(next(iter(loader)).tolist())
        ```
        """
    ).results[0]
    assert result.output == "[0, 1, 4, 9]\n"


def test_a_traceback_names_the_markdown_file_and_its_line(run, tmp_path):
    result = run(
        """
        # Title

        ```python
        def divide():
            return 1 / 0
        ```

        - a list

            ```python
            divide()
            ```
        """
    ).results[1]
    assert (result.failure.path, result.failure.line) == (tmp_path / "page.md", 5)
    assert result.failure.message == "ZeroDivisionError: division by zero"
    assert f'File "{tmp_path}/page.md", line 11' in result.details
    assert "return 1 / 0" in result.details


def test_a_syntax_error_names_its_line(run):
    (failure,) = failures(run("text\n\n```python\nx = 1\nx = = 2\n```\n"))
    assert failure.line == 5
    assert "SyntaxError: invalid syntax" in failure.message


def test_after_a_failure_the_rest_is_not_run(run):
    first, second = run("```python\n1 / 0\n```\n\n```python\nprint(1)\n```\n").results
    assert first.failure is not None
    assert (second.failure, second.failed_before, second.output) == (None, 1, "")


def test_a_warning_is_part_of_the_output(run):
    text = "```python\nimport warnings\nwarnings.warn('careful')\n```\n"
    assert run(text).results[0].output == "UserWarning: careful\n"


def test_a_warning_is_shown_again_on_the_next_page(run):
    text = "```python\nimport torch\ntorch.nn.L1Loss()(torch.ones(3), torch.ones(3, 1))\n```\n"
    outputs = [run(text, name).results[0].output for name in ("one.md", "two.md")]
    assert outputs[0] == outputs[1]
    assert outputs[0].startswith("UserWarning: Using a target size")


def test_an_expected_error_shows_its_real_message(run):
    text = """
        <!--pytest.mark.xfail(raises=ValueError, strict=True)-->
        ```python
        print("before")
        raise ValueError("real")
        ```
        """
    (result,) = run(text).results
    assert (result.failure, result.output) == (None, "before\nValueError: real\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1", "this block was to raise ValueError, and did not"),
        ("{}['key']", "KeyError: 'key'"),
    ],
)
def test_an_expected_error_that_does_not_come_is_a_failure(run, code, message):
    text = f"<!--pytest.mark.xfail(raises=ValueError, strict=True)-->\n```python\n{code}\n```\n"
    assert failures(run(text))[0].message == message


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("xfail(raises=Unknown, strict=True)", "NameError: name 'Unknown' is not defined"),
        ('skipif(unknown, reason="x")', "NameError: name 'unknown' is not defined"),
        ("xfail(raises=KeyError(), strict=True)", "TypeError: isinstance() arg 2 must be a type"),
    ],
)
def test_a_mark_that_cannot_be_evaluated_is_a_failure_at_its_line(run, mark, message):
    (failure,) = failures(run(f"text\n\n<!--pytest.mark.{mark}-->\n```python\n1 / 0\n```\n"))
    assert failure.message.startswith(message)
    assert failure.line == 3


def test_a_block_with_a_reason_is_excused_and_the_next_one_runs(run):
    first, second = run(
        """
        <!--pytest.mark.skip(reason="needs two GPUs")-->
        ```python
        1 / 0
        ```

        ```python
        print(1)
        ```
        """
    ).results
    assert (first.excused, first.failure) == ("needs two GPUs", None)
    assert second.output == "1\n"


@pytest.mark.parametrize(("condition", "excused"), [("ready", None), ("not ready", "is not ready")])
def test_a_condition_sees_the_names_of_the_page(run, condition, excused):
    text = f"""
        ```python
        ready = False
        ```

        <!--pytest.mark.skipif(not ({condition}), reason="is not ready")-->
        ```python
        x = 1
        ```
        """
    assert run(text).results[1].excused == ("is not ready" if condition == "ready" else None)


def test_a_shell_block_runs_in_the_page_folder_with_this_python(run):
    result = run(
        """
        ```python
        from pathlib import Path
        Path("note.txt").write_text("kept")
        ```

        ```bash
        cat note.txt
        python -c "import sys; print(sys.prefix)"
        ```
        """
    ).results[1]
    assert result.output == f"kept{sys.prefix}\n"


@pytest.mark.parametrize("script", ["false\necho on", "false | true", "echo $unset"])
def test_a_shell_block_fails_on_the_first_line_that_fails(run, script):
    (failure,) = failures(run(f"```bash\n{script}\n```\n"))
    assert failure.message.startswith("exit code ")


LEAKS = {
    "module": ("x = 1", "'x' in globals()"),
    "environment": ("import os; os.environ['LEAK'] = '1'", "'LEAK' in __import__('os').environ"),
    "working directory": ("open('leak', 'w').close()", "__import__('os').path.exists('leak')"),
    "imported file": (
        "open('leaked.py', 'w').close(); import leaked",
        "'leaked' in __import__('sys').modules",
    ),
    "path": ("import sys; sys.path.append('/leak')", "'/leak' in __import__('sys').path"),
    "warnings filter": (
        "import warnings; warnings.simplefilter('error')",
        "__import__('warnings').filters[0][0] == 'error'",
    ),
    "matplotlib settings": (
        "import matplotlib; matplotlib.rcParams['font.size'] = 33",
        "__import__('matplotlib').rcParams['font.size'] == 33",
    ),
    "random generator": (
        "import random; random.seed(5); random.random()",
        "__import__('random').random() == 0.7417869892607294",
    ),
    "torch generator": (
        "import torch; torch.manual_seed(5)",
        "__import__('torch').initial_seed() == 5",
    ),
    "torch settings": (
        "import torch; torch.set_default_dtype(torch.float64)",
        "__import__('torch').get_default_dtype() == __import__('torch').float64",
    ),
    "gradients": (
        "import torch; torch.set_grad_enabled(False)",
        "not __import__('torch').is_grad_enabled()",
    ),
    "numpy generator": (
        "import numpy; numpy.random.seed(5); numpy.random.random()",
        "__import__('numpy').random.random() == 0.8707323061773764",
    ),
}


@pytest.mark.parametrize(("leak", "leaked"), LEAKS.values(), ids=LEAKS)
def test_state_does_not_leak_to_the_next_page(run, leak, leaked):
    run_with_leak = run(f"```python\n{leak}\nprint({leaked})\n```\n", "first.md")
    next_run = run(f"```python\nprint({leaked})\n```\n", "second.md")
    assert failures(run_with_leak) == [None]
    assert next_run.results[0].output == "False\n"


def state_of_this_process():
    return (
        dict(os.environ),
        Path.cwd(),
        sys.path[:],
        sys.argv,
        sys.modules["__main__"],
        warnings.filters[:],
        dict(matplotlib.rcParams),
        random.getstate(),
        torch.get_rng_state().tolist(),
    )


def test_state_does_not_leak_to_the_process_around(run):
    before = state_of_this_process()
    for leak, _ in LEAKS.values():
        assert failures(run(f"```python\n{leak}\n```\n")) == [None]
    assert before == state_of_this_process()


def test_a_page_can_be_interrupted_even_where_its_shell_ignores_interrupts(run):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = run(
            """
            ```python
            import os
            import signal

            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                print("interrupted")
            ```
            """
        ).results[0]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.output == "interrupted\n"


EXERCISE = """
<!-- exercise: starter -->
```python
{starter}
```

<!-- exercise: check -->
```python
assert answer == 3, "the answer is not three yet"
```

<!-- exercise: solution -->
```python
{solution}
```

```python
print("answer" in globals())
```
"""


def test_an_exercise_leaves_no_trace(run):
    page = run(EXERCISE.format(starter="answer = ...", solution="answer = 3"))
    assert failures(page) == [None] * 4
    assert page.results[3].output == "False\n"


@pytest.mark.parametrize(
    ("starter", "solution", "line", "message"),
    [
        ("answer = 3", "answer = 3", 7, "the unsolved starter passes this check"),
        ("answer = ...", "answer = 4", 12, "the solution does not pass its check"),
        ("1 / 0", "answer = 3", 3, "ZeroDivisionError"),
        ("pass", "answer = 3", 8, "must fail this check by an assertion with a message"),
    ],
)
def test_an_exercise_that_teaches_nothing_is_a_failure(run, starter, solution, line, message):
    page = run(EXERCISE.format(starter=starter, solution=solution))
    (failure,) = [failure for failure in failures(page) if failure]
    assert message in failure.message
    assert failure.line == line


def test_a_listing_runs_with_the_names_of_its_package(run):
    (result,) = run("<!-- source: json.dumps -->\n```python\n...\n```\n").results
    assert result.failure is None
    assert result.listing.startswith("def dumps(obj, *,")


def test_a_listed_file_is_there_for_the_blocks_after_it(run, tmp_path):
    (tmp_path / "tool.py").write_text("print('tool')\n")
    page = run("<!-- source: tool.py -->\n```python\n...\n```\n\n```bash\npython tool.py\n```\n")
    assert failures(page) == [None, None]
    assert page.results[1].output == "tool\n"


@pytest.mark.parametrize("source", ["json.nothing", "no_such_package.x", "nothing.py"])
def test_a_listing_of_something_that_does_not_exist_is_a_failure(run, source):
    (failure,) = failures(run(f"<!-- source: {source} -->\n```python\n...\n```\n"))
    assert f"{source} does not exist" in failure.message
    assert failure.line == 2


def test_a_number_whose_expression_fails_is_a_problem(run):
    page = run("```python\nx = 1\n```\n\nIt is 5<!-- = y -->.\n")
    (problem,) = page.results[0].problems
    assert problem.line == 5
    assert "the expression `y` fails: NameError: name 'y' is not defined" in problem.message


def test_a_number_above_the_first_block_is_evaluated_at_the_end(run):
    page = run("It is 5<!-- = x -->.\n\n```python\nx = 1\n```\n\n```python\nx = 2\n```\n")
    assert [value for _, value in page.opening] == ["2"]
